/**
 * The search list: which of the full names that a name may stand for is asked for next, and when to stop. This is what
 * glibc's res_search does for getaddrinfo, with one difference: where no server could say whether the name exists as it
 * is written, no longer name is taken for it. Pure.
 */

/**
 * Why a full name came to no address: it does not exist, or has none (`none`); its servers are broken (`servfail`);
 * nobody could say (`unsaid`).
 */
export type Finding = 'none' | 'servfail' | 'unsaid'

export class Search<E> {
  readonly #asWritten: string
  #rest: readonly string[]
  #begun = false
  /** Of the name as it is written, where it was the first: its own servers' word counts more than that on longer names. */
  #own: E | undefined
  #unsaid: E | undefined
  #none: E | undefined

  /** `candidates`: in order; `asWritten` is the one of them that is the name itself. */
  constructor(candidates: readonly string[], asWritten: string) {
    this.#rest = candidates
    this.#asWritten = asWritten
  }

  /** The full name to ask for now; undefined at the end. */
  get candidate(): string | undefined {
    return this.#rest[0]
  }

  /** What the search came to, at its end. */
  get error(): E | undefined {
    return this.#own ?? this.#unsaid ?? this.#none
  }

  /** The candidate came to no address. */
  failed(finding: Finding, error: E): void {
    const asked = this.#rest[0]
    const rest = this.#rest.slice(1)
    const isOwn = asked === this.#asWritten && !this.#begun
    this.#begun = true
    if (isOwn) this.#own = error
    else if (finding === 'none') this.#none ??= error
    else this.#unsaid ??= error
    if (finding === 'none' || (finding === 'servfail' && !isOwn)) this.#rest = rest
    // The name as it is written may be asked for all the same: it is no other.
    else this.#rest = rest.filter((each) => each === this.#asWritten)
  }
}
