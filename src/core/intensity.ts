/**
 * Restart intensity, in the sense of OTP's supervisors: failures that are mended one by one until there are too many of
 * them in a period. Pure: `now` in milliseconds of one monotonic clock.
 */
export class Intensity {
  readonly #most: number
  readonly #periodMs: number
  readonly #failures: number[] = []

  constructor(most: number, periodMs: number) {
    this.#most = most
    this.#periodMs = periodMs
  }

  /** Notes a failure. True where it is one too many. */
  exceededBy(now: number): boolean {
    this.#failures.push(now)
    while (this.#failures[0]! <= now - this.#periodMs) this.#failures.shift()
    return this.#failures.length > this.#most
  }
}
