/** Many events become one: once it has been quiet for a while, and at the latest some time after the first. Pure. */
export interface QuietRules {
  readonly quietMs: number
  readonly atMostMs: number
}

export class Quiet {
  readonly #rules: QuietRules
  #first: number | undefined
  #last = 0

  constructor(rules: QuietRules) {
    this.#rules = rules
  }

  heard(now: number): void {
    this.#first ??= now
    this.#last = now
  }

  /** Until it is time; undefined where nothing was heard. */
  waitMs(now: number): number | undefined {
    if (this.#first === undefined) return undefined
    const { quietMs, atMostMs } = this.#rules
    return Math.max(0, Math.min(this.#last + quietMs, this.#first + atMostMs) - now)
  }

  /** It was time: what is heard from now on is new. */
  taken(): void {
    this.#first = undefined
  }
}
