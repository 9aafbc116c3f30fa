/** What an engine is: something that runs attempts. The manager knows nothing else of one. */
import type { NativeRequest, Outcome } from '../bridge/registry.js'
import type { EngineName, EngineStats } from '../types.js'

export interface Attempt {
  /** Asks for the end; `settle` is called all the same, once everything is released. Idempotent. */
  cancel(): void
}

/** What an engine can tell of itself. */
export type EngineLoad = Pick<EngineStats, 'inFlight' | 'queued' | 'limit'>

/** Who asks an engine for an attempt. */
export interface Asker {
  /** It has ended, and what it held is released. Once, later than `submit`. */
  settle(outcome: Outcome): void
  /** True: it waits for others of the engine to end. False: its turn has come. */
  queued?(waits: boolean): void
}

export interface Engine {
  readonly name: EngineName
  /** An attempt's own deadline runs from its submission, as no thread or worker has to be had for it first. */
  readonly startsAtOnce: boolean
  /** An attempt over the engine's limit waits its turn, and holds nothing meanwhile: its asker is told of it. */
  submit(request: NativeRequest, asker: Asker): Attempt
  load(): EngineLoad
  /** Cancels everything; resolves when all is settled and nothing of the engine is left. Idempotent. */
  close(): Promise<void>
}
