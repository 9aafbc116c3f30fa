/** What an engine is: something that runs attempts. The manager knows nothing else of one. */
import type { EngineName, EngineStats } from '../types.js'

/** One connect(2) to ask for. */
export interface AttemptRequest {
  /** The remote sockaddr as the kernel takes it. */
  remote: Uint8Array
  /** The source sockaddr, if the caller fixed one. */
  local?: Uint8Array | undefined
  /** For connect(2) alone, kept by the kernel. Milliseconds; 0 is no limit. */
  timeoutMs: number
  /** Connect, verify, reset: no descriptor comes back. */
  probe?: boolean
}

/** How an attempt ended. Whatever it held is released by then, but for a claimed descriptor. */
export type Outcome =
  | { state: 'connected'; claim?: Claim; startedAt: number; durationMs: number; polled: number }
  | { state: 'failed'; errno: number; call: string; byDeadline: boolean; startedAt: number; durationMs: number }
  | { state: 'cancelled'; startedAt: number; durationMs: number }
  | { state: 'lost'; startedAt: number; durationMs: number }

/** A connected descriptor that is JavaScript's: whoever holds this ends it by `disown` or `close`, once. */
export interface Claim {
  readonly fd: number
  /** The descriptor is the caller's alone from now on, and in no ledger. */
  disown(): number
  close(): void
}

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
