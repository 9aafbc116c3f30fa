/**
 * Whether a name server's refusal speaks of the name or of its load. Servers that have too many questions at once say
 * REFUSED (dnsmasq) or SERVFAIL (others), or drop the question. The same is said of names that they cannot or may not
 * resolve. What tells them apart is how many questions are refused while many are under way, and how many while few are.
 * Pure: `now` is in milliseconds of one monotonic clock.
 */
import * as limits from './limits.js'

/** A question that was sent: when, and how many were under way then, itself included. */
export interface Sent {
  readonly at: number
  readonly underWay: number
}

/** `again`: ask once more, later, and do not believe it. `fewer`: send fewer at once. */
export interface LoadVerdict {
  readonly again: boolean
  readonly fewer: boolean
}

/** One server's. */
export class ServerLoad {
  #underWay = 0
  /** It refused while hardly anything was under way, and has answered nothing since: this is not about load. */
  #refusesAnyway = false
  #answeredAt = Number.NEGATIVE_INFINITY
  /** While many were under way, and while few were. What is refused then is refused because of the names. */
  readonly #busy = new LastOutcomes()
  readonly #quiet = new LastOutcomes()

  send(now: number): Sent {
    this.#underWay += 1
    return { at: now, underWay: this.#underWay }
  }

  /** Once for each that was sent, in every outcome. */
  ended(): void {
    this.#underWay -= 1
  }

  /** It gave addresses, or said that there are none. */
  answered({ underWay }: Sent, now: number): void {
    this.#refusesAnyway = false
    this.#answeredAt = now
    this.#outcomesAt(underWay).add(false)
  }

  /** It said REFUSED or SERVFAIL. `retries`: how often this question was asked again because of load. */
  refused({ underWay }: Sent, code: 'EREFUSED' | 'ESERVFAIL', retries: number): LoadVerdict {
    const outcomes = this.#outcomesAt(underWay)
    // Counted once, however often the question is asked again.
    if (retries === 0) outcomes.add(true)
    if (outcomes === this.#quiet) {
      const answersOthers = this.#busy.answers + this.#quiet.answers > 0
      if (!answersOthers) this.#refusesAnyway = true
      // Its other clients may be what it is busy with. SERVFAIL is common for broken zones.
      const again = answersOthers && code === 'EREFUSED' && retries < limits.doubtfulRetriesAtMost
      return { again, fewer: false }
    }
    if (this.#refusesAnyway) return { again: false, fewer: false }
    const fewer = this.#isOverloaded()
    const likely = fewer || code === 'EREFUSED'
    return { again: retries < (likely ? limits.loadRetriesAtMost : limits.doubtfulRetriesAtMost), fewer }
  }

  /** It did not answer. True where it drops questions because of load, so that fewer must be sent at once. */
  dropped({ at, underWay }: Sent): boolean {
    if (underWay <= limits.quietQuestions || this.#answeredAt < at) return false
    this.#busy.add(true)
    return this.#isOverloaded()
  }

  #outcomesAt(underWay: number): LastOutcomes {
    return underWay > limits.quietQuestions ? this.#busy : this.#quiet
  }

  /** Clearly more is refused than where few are under way. */
  #isOverloaded(): boolean {
    return this.#busy.refusals > limits.refusalsOfLoad + 1.5 * this.#quiet.refusals
  }
}

/** Of the last 64 questions, how many were answered and how many refused. */
class LastOutcomes {
  readonly #refused: boolean[] = []
  #next = 0
  refusals = 0

  get answers(): number {
    return this.#refused.length - this.refusals
  }

  add(refused: boolean): void {
    if (this.#refused[this.#next]) this.refusals -= 1
    if (refused) this.refusals += 1
    this.#refused[this.#next] = refused
    this.#next = (this.#next + 1) % limits.outcomesRemembered
  }
}
