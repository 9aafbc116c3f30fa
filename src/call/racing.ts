/**
 * Carries out what core/race decides: the names that are asked for, the attempts under way, and the one timer. Settles
 * once all of them have ended and every loser has let go of what it held.
 */
import { type Outcome, registry } from '../bridge/registry.js'
import { settleSoon } from '../bridge/settling.js'
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import type { Family, InetEndpoint } from '../core/endpoint.js'
import { type Order, Race, type RaceAction, type RaceEvent } from '../core/race.js'
import { lateAbortError } from '../errors/abort-error.js'
import { ConnectError } from '../errors/connect-error.js'
import type { Cancellation } from './cancellation.js'

export interface Course {
  /** As formatEndpoint writes it. */
  lastGood: string | undefined
  /** The order of preference. Default: as the names give them. */
  order?: Order | undefined
  /** Those that are wanted, and waited for. */
  families: readonly Family[]
  /** As RaceOptions has it. */
  attemptDelayMs?: number | undefined
  /** Asks for addresses and tells them as they come. Its rejection by a ConnectError says that there are none. */
  names(
    told: (families: readonly Family[], endpoints: readonly InetEndpoint[]) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** What forbids an attempt, asked right before it starts. */
  bar(endpoint: InetEndpoint): ConnectError | undefined
  /** Starts an attempt: `started` each time it has its turn, `done` once, on a later turn. */
  start(endpoint: InetEndpoint, started: () => void, done: (outcome: Outcome) => void): { cancel(): void }
  /** What failed, of the names as well. */
  failed(why: ConnectError | { endpoint: InetEndpoint; outcome: Outcome }): void
}

export interface Winner {
  endpoint: InetEndpoint
  outcome: Extract<Outcome, { state: 'connected' }>
  /** Others had been tried before. */
  passedOthers: boolean
}

/**
 * Resolves to the winner, undefined where all failed.
 * @throws the cancellation's error once everything is released; what the names rejected with, unless that is a ConnectError.
 */
export function race(course: Course, cancellation: Cancellation): Promise<Winner | undefined> {
  return new Promise((resolve, reject) => {
    new Racing(course, cancellation, resolve, reject).begin()
  })
}

/** One error for all races: thousands made in one turn would hold the event loop. */
const noLongerWanted = lateAbortError(new Error('the names are no longer wanted'))

class Racing {
  readonly #course: Course
  readonly #cancellation: Cancellation
  readonly #resolve: (winner: Winner | undefined) => void
  readonly #reject: (error: unknown) => void
  readonly #race: Race
  readonly #names = new AbortController()
  #naming = true
  readonly #underWay = new Map<InetEndpoint, { cancel(): void }>()
  #starts = 0
  #timer: NodeJS.Timeout | undefined
  #stop: (() => void) | undefined
  /** Nothing is started any more. */
  #over = false
  #winner: Winner | undefined
  #defect: { error: unknown } | undefined

  constructor(
    course: Course,
    cancellation: Cancellation,
    resolve: (winner: Winner | undefined) => void,
    reject: (error: unknown) => void,
  ) {
    this.#course = course
    this.#cancellation = cancellation
    this.#resolve = resolve
    this.#reject = reject
    this.#race = new Race(course)
  }

  begin(): void {
    this.#stop = this.#cancellation.onRequest(() => this.#cancelled())
    const told = (families: readonly Family[], endpoints: readonly InetEndpoint[]) =>
      this.#tell({ type: 'resolved', families, endpoints })
    this.#course.names(told, this.#names.signal).then(
      () => {
        this.#naming = false
      },
      (error) => this.#unresolved(error),
    )
  }

  #unresolved(error: unknown): void {
    this.#naming = false
    if (this.#over) return
    if (error instanceof ConnectError) {
      this.#course.failed(error)
      this.#tell({ type: 'resolved', families: ['inet6', 'inet'], endpoints: [] })
    } else this.#broken(error)
  }

  #tell(event: RaceEvent): void {
    if (this.#over) return
    clearTimeout(this.#timer)
    for (const action of this.#race.on(event, performance.now())) this.#act(action)
  }

  #act(action: RaceAction): void {
    switch (action.type) {
      case 'start':
        this.#start(action.endpoint)
        break
      case 'wake':
        this.#timer = setTimeout(() => this.#tell({ type: 'woken' }), Math.ceil(action.at - performance.now()))
        break
      case 'win':
      case 'lose':
        this.#end()
        if (this.#underWay.size === 0) this.#settle()
    }
  }

  #start(endpoint: InetEndpoint): void {
    if (this.#over) return
    try {
      const barred = this.#course.bar(endpoint)
      if (barred) this.#barred(endpoint, barred)
      else this.#attempt(endpoint)
    } catch (error) {
      this.#broken(error)
    }
  }

  #barred(endpoint: InetEndpoint, why: ConnectError): void {
    this.#course.failed(why)
    this.#tell({ type: 'failed', endpoint })
  }

  #attempt(endpoint: InetEndpoint): void {
    this.#starts += 1
    const started = () => this.#tell({ type: 'started', endpoint })
    const attempt = this.#course.start(endpoint, started, (outcome) => this.#ended(endpoint, outcome))
    this.#underWay.set(endpoint, attempt)
    // A subscriber that was told of its start may have ended the race.
    if (this.#over) attempt.cancel()
  }

  #ended(endpoint: InetEndpoint, outcome: Outcome): void {
    this.#underWay.delete(endpoint)
    if (this.#over) {
      // The cancel came too late for this one: it connected, and the race closes it.
      if (outcome.state === 'connected') outcome.claim?.close()
      if (this.#underWay.size === 0) this.#settle()
    } else if (outcome.state === 'connected') {
      this.#winner = { endpoint, outcome, passedOthers: this.#starts > 1 }
      this.#tell({ type: 'connected', endpoint })
    } else {
      this.#course.failed({ endpoint, outcome })
      this.#tell({ type: 'failed', endpoint })
    }
  }

  #cancelled(): void {
    if (this.#over) return
    this.#end()
    if (this.#underWay.size > 0) return
    settleSoon(() => {
      if (this.#underWay.size === 0) this.#settle()
    })
  }

  /** The caller's own code, or what it passed in, failed in a way that no other address mends. */
  #broken(error: unknown): void {
    this.#defect = { error }
    this.#end()
    if (this.#underWay.size === 0) this.#settle()
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#timer)
    if (this.#naming) this.#names.abort(noLongerWanted)
    registry.batchCancels(() => {
      for (const attempt of this.#underWay.values()) attempt.cancel()
    })
  }

  #settle(): void {
    this.#stop?.()
    const cancelled = this.#cancellation.requested
    if (cancelled || this.#defect) {
      this.#winner?.outcome.claim?.close()
      this.#reject(cancelled ? this.#cancellation.error() : this.#defect!.error)
    } else this.#resolve(this.#winner)
  }
}
