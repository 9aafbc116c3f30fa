/** The time that one try of a probe may take, where a call may make several. */
import type { Call } from '../call/call.js'
import { Deadline, type Timed } from '../call/deadline.js'
import { performance } from '../core/clock.js'

export class TryTime implements Timed {
  readonly #call: Call
  readonly startedAt = performance.now()
  readonly timeoutMs: number
  readonly #waitedBefore: number
  readonly #deadline: Deadline | undefined
  #isOver = false
  #expire: (() => void) | undefined

  /** Begins now. Where `timeoutMs` is no less than the call has in all, the call's own deadline is enough. */
  constructor(call: Call, timeoutMs: number) {
    this.#call = call
    this.timeoutMs = timeoutMs
    this.#waitedBefore = call.patience.waitedMs(this.startedAt)
    if (timeoutMs >= call.timeoutMs) return
    this.#deadline = new Deadline(this)
    this.#deadline.arm()
  }

  /** What is waited for this machine is none of the target's time. */
  get pausedMs(): number {
    return this.#call.patience.waitedMs(performance.now()) - this.#waitedBefore
  }

  /** For the deadline. */
  expire(): void {
    this.#isOver = true
    this.#expire?.()
  }

  /** Calls `expire` once when the time is over; at once where it is. */
  onExpiry(expire: () => void): void {
    this.#expire = expire
    if (this.#isOver) expire()
  }

  /** Of a wait that may be in vain: no more than half of what is left, so that the wait alone fails no target. */
  shareOf(waitMs: number): number {
    const { timeoutMs, startedAt } = this.#call
    const now = performance.now()
    const leftMs = Math.min(timeoutMs - (now - startedAt), this.timeoutMs - (now - this.startedAt))
    return Math.max(0, Math.min(waitMs, leftMs / 2))
  }

  end(): void {
    this.#deadline?.end()
  }
}
