/**
 * Waiting until every target is up, or down: which target is tried when, and when it is enough. The errno class of a failure
 * decides the pace. Pure: told `now`, in milliseconds of one monotonic clock.
 */
import type { ErrnoClass } from './errno.js'
import type { Phase } from './verdict.js'

export type Goal = 'up' | 'down'

/** What one try came to. */
export interface Outcome {
  status: 'up' | 'down' | 'unknown'
  /** These where it is not up. */
  errnoClass?: ErrnoClass
  code?: string
  phase?: Phase
  /** Of AF_UNIX. */
  path?: string
  reason?: string
}

/** The pause after a try: it begins with `baseMs`, doubles with every further try of the class, and ends at `capMs`. It is never below the interval. */
interface Pace {
  baseMs: number
  capMs: number
}

/** The interval alone: a service that refuses is often about to start. */
const soon: Pace = { baseMs: 1, capMs: 1 }
/** Whoever comes back from this takes a while, and asking is not free. */
const slow: Pace = { baseMs: 500, capMs: 5_000 }

const paces: Readonly<Record<ErrnoClass, Pace>> = {
  refused: soon,
  busy: soon,
  // It listens, and each try costs it a conversation.
  protocol: { baseMs: 250, capMs: 2_000 },
  // Name servers serve others too.
  name: { baseMs: 1_000, capMs: 1_000 },
  'timed-out': slow,
  unreachable: slow,
  // Permissions and rules are changed by people and by what starts the service.
  denied: slow,
  local: slow,
  unknown: slow,
  pending: slow,
  // Not waited for at all: `isMistake`.
  misuse: slow,
}

/** How long after a try the next one begins. `inARow`: tries that ended in this class one after the other, this one included. */
export function pauseMs({ errnoClass }: Outcome, inARow: number, intervalMs: number): number {
  const { baseMs, capMs } = errnoClass === undefined ? soon : paces[errnoClass]
  return Math.max(intervalMs, Math.min(capMs, baseMs * 2 ** (inARow - 1)))
}

/** No waiting makes it right. */
export const isMistake = ({ errnoClass }: Outcome): boolean => errnoClass === 'misuse'

/**
 * `down` takes more than not being up: the address said that nobody serves there, or nobody answered, or the name is gone. Whoever took
 * the connection (`protocol`, a failure in TLS) is there, and so is one whose backlog is full, which is all that an AF_UNIX connect
 * ever waits for. A denial tells nothing.
 */
export function meets({ status, errnoClass, phase, path }: Outcome, goal: Goal): boolean {
  if (goal === 'up' || status !== 'down') return status === goal
  if (errnoClass === 'timed-out' && path !== undefined) return false
  return errnoClass === 'name' || (phase === 'connect' && absent.has(errnoClass))
}

const absent: ReadonlySet<ErrnoClass | undefined> = new Set<ErrnoClass>(['refused', 'timed-out', 'unreachable'])

/** One target, as far as it has come. */
export interface Awaited {
  readonly target: string
  /** Tries begun. */
  tries: number
  /** Of the last try that ended. */
  last?: Outcome
  /** Since when a try is under way. */
  tryingSince?: number
  /** It has been what it was waited for: it is not tried again, whatever becomes of it. */
  metAt?: number
}

interface Entry extends Awaited {
  dueAt: number
  inARow: number
}

export interface WaitingOptions {
  goal: Goal
  intervalMs: number
}

export class Waiting {
  readonly goal: Goal
  readonly startedAt: number
  readonly #intervalMs: number
  readonly #entries: ReadonlyMap<string, Entry>
  #missing: number

  /** Each target once. All are due at once. */
  constructor(targets: Iterable<string>, { goal, intervalMs }: WaitingOptions, now: number) {
    this.goal = goal
    this.startedAt = now
    this.#intervalMs = intervalMs
    this.#entries = new Map(Array.from(targets, (target) => [target, { target, tries: 0, dueAt: now, inARow: 0 }]))
    this.#missing = this.#entries.size
  }

  /** In the order given. */
  get targets(): readonly Awaited[] {
    return [...this.#entries.values()]
  }

  get missing(): readonly Awaited[] {
    return this.targets.filter(({ metAt }) => metAt === undefined)
  }

  get done(): boolean {
    return this.#missing === 0
  }

  /** Begins a try of the target that has been due the longest. Undefined if none is. */
  take(now: number): string | undefined {
    const next = this.#next()
    if (!next || next.dueAt > now) return undefined
    next.tries += 1
    next.tryingSince = now
    return next.target
  }

  /** Until the next target is due. Undefined while every one that is missing is being tried. */
  dueInMs(now: number): number | undefined {
    const next = this.#next()
    return next && Math.max(0, next.dueAt - now)
  }

  /** A try has ended. */
  heard(target: string, outcome: Outcome, now: number): void {
    const entry = this.#entries.get(target)!
    entry.inARow = entry.last?.errnoClass === outcome.errnoClass ? entry.inARow + 1 : 1
    entry.last = outcome
    delete entry.tryingSince
    if (meets(outcome, this.goal)) {
      entry.metAt = now
      this.#missing -= 1
    } else entry.dueAt = now + pauseMs(outcome, entry.inARow, this.#intervalMs)
  }

  #next(): Entry | undefined {
    let next: Entry | undefined
    for (const entry of this.#entries.values()) {
      if (entry.metAt !== undefined || entry.tryingSince !== undefined) continue
      if (!next || entry.dueAt < next.dueAt) next = entry
    }
    return next
  }
}
