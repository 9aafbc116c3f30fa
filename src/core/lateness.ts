/**
 * How long this process was held up: blocked, stopped, or starved of its core. A beat is due every so often; what it comes
 * later than a little is time in which no answer could be read. Pure: times are milliseconds of one monotonic clock.
 */
export class Lateness {
  readonly #periodMs: number
  readonly #toleranceMs: number
  #dueAt: number
  #heldMs = 0

  constructor(periodMs: number, toleranceMs: number, now: number) {
    this.#periodMs = periodMs
    this.#toleranceMs = toleranceMs
    this.#dueAt = now + periodMs
  }

  /** The beat came. */
  beat(now: number): void {
    this.#heldMs = this.heldMs(now)
    this.#dueAt = now + this.#periodMs
  }

  /** Beats begin anew: what passed since the last one was no delay, because none was due. */
  resume(now: number): void {
    this.#dueAt = now + this.#periodMs
  }

  /** How long the process was held up in all, a beat that is overdue now included. Milliseconds. */
  heldMs(now: number): number {
    const lateMs = now - this.#dueAt
    return this.#heldMs + (lateMs > this.#toleranceMs ? lateMs : 0)
  }
}
