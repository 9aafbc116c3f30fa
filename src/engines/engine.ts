/** What an engine is: something that runs attempts. The manager knows nothing else of one. */
import type { AttemptRequest, Outcome } from '../attempts.js'
import type { EngineName, EngineStats } from '../types.js'

export interface Attempt {
  /** Asks for the end; `settle` is called all the same, once everything is released. Idempotent. */
  cancel(): void
}

export interface Engine {
  readonly name: EngineName
  /**
   * `settle` is called exactly once, on a later turn. An attempt over the engine's limit waits its turn,
   * and holds nothing meanwhile.
   */
  submit(request: AttemptRequest, settle: (outcome: Outcome) => void): Attempt
  stats(): EngineStats
  /** Cancels everything; resolves when all is settled and nothing of the engine is left. Idempotent. */
  close(): Promise<void>
}
