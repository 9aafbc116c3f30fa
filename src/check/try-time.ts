/** The time that one try of a probe may take, where a call may make several. */
import type { Call } from '../call/call.js'
import { Deadline } from '../call/deadline.js'
import { performance } from '../core/clock.js'

export class TryTime {
  readonly #call: Call
  readonly #startedAt = performance.now()
  readonly #limitMs: number
  readonly #deadline: Deadline | undefined
  #isOver = false
  #expire: (() => void) | undefined

  /** Begins now. Where `limitMs` is no less than the call has in all, the call's own deadline is enough. */
  constructor(call: Call, limitMs: number) {
    this.#call = call
    this.#limitMs = limitMs
    if (limitMs >= call.settings.timeoutMs) return
    const waitedBefore = call.patience.waitedMs(this.#startedAt)
    // What is waited for this machine is none of the target's time.
    const pausedMs = () => call.patience.waitedMs(performance.now()) - waitedBefore
    this.#deadline = new Deadline(limitMs, this.#startedAt, pausedMs, () => {
      this.#isOver = true
      this.#expire?.()
    })
    this.#deadline.arm()
  }

  get limitMs(): number {
    return this.#limitMs
  }

  /** Calls `expire` once when the time is over; at once where it is. */
  onExpiry(expire: () => void): void {
    this.#expire = expire
    if (this.#isOver) expire()
  }

  /** Of a wait that may be in vain: no more than half of what is left, so that the wait alone fails no target. */
  shareOf(waitMs: number): number {
    const { settings, startedAt } = this.#call
    const now = performance.now()
    const leftMs = Math.min(settings.timeoutMs - (now - startedAt), this.#limitMs - (now - this.#startedAt))
    return Math.max(0, Math.min(waitMs, leftMs / 2))
  }

  end(): void {
    this.#deadline?.end()
  }
}
