/**
 * Happy Eyeballs, RFC 8305, as a pure state machine: addresses come in as they are resolved, attempts are started one
 * after the other before the last has answered, and the first to connect wins. `now` is passed in, in milliseconds of
 * one monotonic clock; src/call/racing.ts races for real.
 */
import { type Family, formatEndpoint, type InetEndpoint } from './endpoint.js'
import * as limits from './limits.js'

export type RaceEvent =
  /** The answer to the questions for these families, or that there is none. */
  | { type: 'resolved'; families: readonly Family[]; endpoints: readonly InetEndpoint[] }
  /** What was told to start had its turn: the attempt delay counts from here. */
  | { type: 'started'; endpoint: InetEndpoint }
  | { type: 'failed'; endpoint: InetEndpoint }
  | { type: 'connected'; endpoint: InetEndpoint }
  /** Time has passed. */
  | { type: 'woken' }

export type RaceAction =
  | { type: 'start'; endpoint: InetEndpoint }
  /** Tell it the time again at `at`, unless something else comes first. */
  | { type: 'wake'; at: number }
  | { type: 'win'; endpoint: InetEndpoint }
  /** Every address has failed, or there was none. */
  | { type: 'lose' }

export interface RaceOptions {
  /** Families that are being asked for. */
  families: readonly Family[]
  /** Connection Attempt Delay, section 5. Milliseconds, held within its bounds. */
  attemptDelayMs?: number | undefined
  /** What took the last connect, as formatEndpoint writes it: tried first where it is still among them. */
  lastGood?: string | undefined
  /** Puts addresses in order of preference (section 4). Default: the order in which they were given. */
  order?: Order | undefined
}

export type Order = (endpoints: readonly InetEndpoint[]) => readonly InetEndpoint[]

export class Race {
  /** Families whose answer is still to come. */
  readonly #awaited: Set<Family>
  readonly #attemptDelayMs: number
  readonly #lastGood: string | undefined
  readonly #order: Order
  /** Not yet tried, in order of preference. */
  readonly #queues: Record<Family, InetEndpoint[]> = { inet6: [], inet: [] }
  /** Ever queued: a name may have an address twice. */
  readonly #known = new Set<string>()
  readonly #underWay = new Set<InetEndpoint>()
  /** Whose turn it is where there is a choice: families alternate, a First Address Family Count of 1 (section 4). */
  #turn: Family = 'inet6'
  /** Until then an A answer waits for AAAA (section 3). */
  #resolutionEndsAt = Number.NEGATIVE_INFINITY
  /** The attempt started last, and the times from which another may follow: whether or not something failed (section 5). */
  #newest: InetEndpoint | undefined
  #dueAt = Number.NEGATIVE_INFINITY
  #earliestAt = Number.NEGATIVE_INFINITY
  #over = false

  constructor({ families, attemptDelayMs = limits.attemptDelayMs, lastGood, order = asGiven }: RaceOptions) {
    this.#awaited = new Set(families)
    this.#attemptDelayMs = Math.min(limits.attemptDelayAtMostMs, Math.max(limits.attemptDelayAtLeastMs, attemptDelayMs))
    this.#lastGood = lastGood
    this.#order = order
  }

  /** At most one action of each kind; a `wake` takes the place of the one before, which holds no longer without one. */
  on(event: RaceEvent, now: number): RaceAction[] {
    if (this.#over) return []
    switch (event.type) {
      case 'resolved':
        this.#resolved(event.families, event.endpoints, now)
        break
      case 'started':
        this.#started(event.endpoint, now)
        break
      case 'failed':
        this.#failed(event.endpoint, now)
        break
      case 'connected':
        this.#over = true
        return [{ type: 'win', endpoint: event.endpoint }]
      case 'woken':
        break
    }
    return this.#advance(now)
  }

  #resolved(families: readonly Family[], endpoints: readonly InetEndpoint[], now: number): void {
    for (const family of families) this.#awaited.delete(family)
    const fresh = this.#order(endpoints.filter((endpoint) => this.#isNew(endpoint)))
    if (fresh[0] && !this.#newest) this.#turn = this.#firstFamily(fresh[0])
    // Addresses that come late join those not yet tried.
    for (const endpoint of fresh) this.#queues[endpoint.family].push(endpoint)
    const good = fresh.find((endpoint) => formatEndpoint(endpoint) === this.#lastGood)
    if (good) this.#prefer(good)
    const waits = fresh.length > 0 && !good && !this.#newest && this.#awaited.has('inet6')
    this.#resolutionEndsAt = waits ? now + limits.resolutionDelayMs : Number.NEGATIVE_INFINITY
  }

  /** That of the most preferred of all; among equals, of who has answered just now. */
  #firstFamily(best: InetEndpoint): Family {
    const waiting = this.#queues[other(best.family)][0]
    return (waiting ? this.#order([best, waiting])[0]! : best).family
  }

  #isNew(endpoint: InetEndpoint): boolean {
    const written = formatEndpoint(endpoint)
    return !this.#known.has(written) && this.#known.add(written) !== undefined
  }

  #prefer(endpoint: InetEndpoint): void {
    const { family } = endpoint
    this.#queues[family] = [endpoint, ...this.#queues[family].filter((other) => other !== endpoint)]
    this.#turn = family
  }

  /** Until it had its turn on this machine no other is due: a race that waits in line must not take a second place there. */
  #started(endpoint: InetEndpoint, now: number): void {
    if (endpoint !== this.#newest || this.#dueAt !== Number.POSITIVE_INFINITY) return
    this.#dueAt = now + this.#attemptDelayMs
    this.#earliestAt = now + limits.attemptDelayAtLeastMs
  }

  /** A failure is an answer, and the next need not wait; but never do two start together. */
  #failed(endpoint: InetEndpoint, now: number): void {
    this.#underWay.delete(endpoint)
    const newestRuns = this.#newest !== undefined && this.#underWay.has(this.#newest)
    this.#dueAt = newestRuns ? Math.min(this.#dueAt, this.#earliestAt) : now
  }

  #advance(now: number): RaceAction[] {
    if (now < this.#resolutionEndsAt) return [{ type: 'wake', at: this.#resolutionEndsAt }]
    const next = this.#queues[this.#turn][0] ?? this.#queues[other(this.#turn)][0]
    if (!next) {
      this.#over = this.#underWay.size === 0 && this.#awaited.size === 0
      return this.#over ? [{ type: 'lose' }] : []
    }
    if (this.#dueAt === Number.POSITIVE_INFINITY) return []
    if (now < this.#dueAt) return [{ type: 'wake', at: this.#dueAt }]
    this.#start(next)
    return [{ type: 'start', endpoint: next }]
  }

  #start(endpoint: InetEndpoint): void {
    this.#queues[endpoint.family].shift()
    this.#turn = other(endpoint.family)
    this.#underWay.add(endpoint)
    this.#newest = endpoint
    this.#dueAt = Number.POSITIVE_INFINITY
    this.#earliestAt = Number.POSITIVE_INFINITY
  }
}

const asGiven: Order = (endpoints) => endpoints

const other = (family: Family): Family => (family === 'inet' ? 'inet6' : 'inet')
