/**
 * Whether the checker is in a state to judge anybody. While it is late, held up, or short of something, no state changes: what
 * targets seem to be then may be its own trouble. Pure: it is told what happened and when, in milliseconds of one clock.
 */

export interface OverloadRules {
  /** A check that starts later than this after it was due. Milliseconds. */
  readonly lateAtMostMs: number
  /** The process was held up for longer than this at a stretch: its loop was blocked, or it was stopped. Milliseconds. */
  readonly heldUpAtMostMs: number
  /** The share of results that failed for a lack of this machine, of the last `resultsLookedAt`. */
  readonly localShareAtMost: number
  readonly resultsLookedAt: number
  /** It judges again after so long without any of these. Milliseconds. */
  readonly calmMs: number
}

export class Overload {
  readonly #rules: OverloadRules
  /** A ring of the last results: 1 for a local failure. */
  readonly #recent: Uint8Array
  #at = 0
  #local = 0
  #until = Number.NEGATIVE_INFINITY
  #why = ''

  constructor(rules: OverloadRules) {
    this.#rules = rules
    this.#recent = new Uint8Array(rules.resultsLookedAt)
  }

  /** A check began so long after it was due. */
  started(lateMs: number, now: number): void {
    if (lateMs > this.#rules.lateAtMostMs) this.#freeze(now, 'checks start late')
  }

  /** The process was held up for so long since it was last asked. */
  heldUp(ms: number, now: number): void {
    if (ms > this.#rules.heldUpAtMostMs) this.#freeze(now, 'this process was blocked or stopped')
  }

  /** A check came to a result; `isLocal`: this machine was out of something. */
  ended(isLocal: boolean, now: number): void {
    this.#local += Number(isLocal) - this.#recent[this.#at]!
    this.#recent[this.#at] = Number(isLocal)
    this.#at = (this.#at + 1) % this.#recent.length
    if (isLocal && this.#local > this.#rules.localShareAtMost * this.#recent.length)
      this.#freeze(now, 'this machine is out of something that checks need')
  }

  /** Why no state changes now; undefined where states may change. */
  whyFrozen(now: number): string | undefined {
    return now < this.#until ? this.#why : undefined
  }

  #freeze(now: number, why: string): void {
    this.#until = now + this.#rules.calmMs
    this.#why = why
  }
}
