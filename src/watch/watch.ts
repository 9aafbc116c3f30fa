/**
 * Health over time: checks each target again and again, and tells what changes. What is due when, and what a result changes, is
 * decided in core (schedule, spread, health, overload); here it is carried out.
 */
import type { Calls } from '../call/calls.js'
import { Cancellation } from '../call/cancellation.js'
import { heldUpMs, startBeat, stopBeat } from '../call/heartbeat.js'
import { runOf } from '../check/check.js'
import { checkTarget } from '../check/check-target.js'
import type { CheckRun } from '../check/run.js'
import { clearTimeout, epochMs, performance, setImmediate, setTimeout } from '../core/clock.js'
import { DelayWindow } from '../core/delays.js'
import { healthAfter, intervalFor, type State } from '../core/health.js'
import * as limits from '../core/limits.js'
import { Overload } from '../core/overload.js'
import { Schedule } from '../core/schedule.js'
import { firstDelay, jittered } from '../core/spread.js'
import { keyOf } from '../core/target-key.js'
import { abortError } from '../errors/abort-error.js'
import type { CheckResult, HealthChange, TargetHealth, WatchSummary } from '../types.js'
import { Changes } from './changes.js'
import { type Entry, entryOf, type Watchable, type WatchSettings } from './settings.js'
import { Watched } from './watched.js'

export type ResultListener = (key: string, result: CheckResult, state: State) => void

/**
 * Begins at once and goes on until it is disposed of, its signal aborts or the manager is closed. Iterating takes the changes as
 * they come; leaving the loop disposes of it. Nothing is under way once that is over.
 */
export class Watch implements AsyncIterable<HealthChange>, AsyncDisposable {
  /** Tells `listener` of each result, canaries' left out. One listener at most; it must not throw. `key`: see keyOf. */
  static onResult(watch: Watch, listener: ResultListener): void {
    watch.#onResult = listener
  }

  readonly #calls: Calls
  readonly #settings: WatchSettings
  readonly #cancellation: Cancellation
  readonly #run: CheckRun
  readonly #schedule = new Schedule<Watched>(performance.now())
  readonly #delays = new DelayWindow(limits.latenessWindowMs, performance.now())
  readonly #overload = new Overload(limits.overload)
  readonly #changes = new Changes()
  readonly #canaries: readonly Watched[]
  readonly #counts: Record<State, number> = { up: 0, down: 0, unknown: 0 }
  #targets: ReadonlyMap<string, Watched> = new Map()
  #inFlight = 0
  #skipped = 0
  #heldUpMs = heldUpMs()
  #timer: NodeJS.Timeout | undefined
  /** A turn is due at the end of this one. */
  #turns = false
  #ended: Promise<void> | undefined
  #idle: (() => void) | undefined
  #onResult: ResultListener | undefined

  /** @throws InvalidTargetError, TypeError or RangeError for a target; ERR_MANAGER_CLOSED. */
  constructor(calls: Calls, targets: Iterable<Watchable>, settings: WatchSettings) {
    const entries = entriesOf(targets)
    const canaries = (settings.canaries ?? []).map(entryOf)
    this.#calls = calls
    this.#settings = settings
    this.#cancellation = new Cancellation(settings.signal)
    try {
      this.#run = runOf(calls, settings, this.#cancellation)
      calls.checkBegins(this.#cancellation)
    } catch (error) {
      this.#cancellation.end()
      throw error
    }
    startBeat()
    this.#canaries = canaries.map((entry) => this.#begin(new Watched(entry, true, epochMs())))
    this.#take(entries)
    this.#remember(settings.states ?? [])
    this.#cancellation.onRequest(() => void this.#end(() => this.#cancellation.error()))
    this.#arm()
  }

  /**
   * Another list: targets that stay keep what is known of them. One that is on it twice is watched once.
   * @throws InvalidTargetError, TypeError or RangeError for a target; then the old list stays.
   */
  replace(targets: Iterable<Watchable>): void {
    if (this.#ended) throw new Error('the watch has ended: begin a new one')
    this.#take(entriesOf(targets))
    this.#arm()
  }

  /** What is known of each target, in the order of the list. */
  *health(): Generator<TargetHealth, void, undefined> {
    for (const watched of this.#targets.values()) yield watched.tell()
  }

  summary(): WatchSummary {
    const now = performance.now()
    this.#lookForStops(now)
    const why = this.#overload.whyFrozen(now)
    return {
      ...this.#counts,
      latenessMs: this.#delays.summary(now),
      frozen: why !== undefined,
      ...(why !== undefined && { frozenWhy: why }),
      lostChanges: this.#changes.lost,
      skipped: this.#skipped,
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<HealthChange, void, undefined> {
    try {
      for (;;) {
        const change = await this.#changes.take()
        if (!change) return
        yield change
      }
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  /** Resolves once nothing is under way any more. Changes that nobody took are dropped. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }

  #end(error?: () => Error): Promise<void> {
    this.#ended ??= this.#finish(error)
    return this.#ended
  }

  async #finish(error: (() => Error) | undefined): Promise<void> {
    clearTimeout(this.#timer)
    // `ended` is set before a check that ends hears of the cancel.
    await undefined
    this.#cancellation.request(() => abortError(new Error('the watch was ended')))
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    this.#cancellation.end()
    this.#calls.checkEnds(this.#cancellation)
    stopBeat()
    this.#changes.end(error?.())
  }

  /** Each new one gets its place in the schedule; those that are not on the list leave it. */
  #take(entries: ReadonlyMap<string, Entry>): void {
    const before = this.#targets
    const after = new Map<string, Watched>()
    for (const [key, entry] of entries) {
      const known = before.get(key)
      if (known) Object.assign(known, { planned: entry.planned, intervalMs: entry.intervalMs })
      else this.#counts.unknown += 1
      after.set(key, known ?? this.#begin(new Watched(entry, false, epochMs())))
    }
    for (const [key, watched] of before) if (!after.has(key)) this.#forget(watched)
    this.#targets = after
  }

  #begin(watched: Watched): Watched {
    const delayMs = firstDelay(watched.key, this.#intervalOf(watched))
    this.#schedule.add(watched, performance.now() + delayMs)
    return watched
  }

  #forget(watched: Watched): void {
    watched.isGone = true
    this.#schedule.delete(watched)
    this.#counts[watched.health.state] -= 1
  }

  #remember(states: NonNullable<WatchSettings['states']>): void {
    for (const { target, labels, state, since } of states) {
      const watched = this.#targets.get(keyOf(target, labels))
      if (!watched || state === watched.health.state) continue
      this.#counts[watched.health.state] -= 1
      this.#counts[state] += 1
      watched.health = { state, since, last: state, inARow: 1 }
    }
  }

  #intervalOf({ health, intervalMs }: Watched): number {
    if (intervalMs === undefined) return intervalFor(health, this.#settings)
    const { fastIntervalMs, downIntervalMs } = this.#settings
    return intervalFor(health, { intervalMs, fastIntervalMs, downIntervalMs })
  }

  /** Starts what is due, as far as there is room, and sees to it that this happens again in time. */
  #turn(): void {
    if (this.#ended) return
    const now = performance.now()
    this.#lookForStops(now)
    for (let started = 0; started < limits.startsPerTurn && this.#hasRoom; ) {
      const watched = this.#schedule.take(now)
      if (!watched) break
      if (this.#start(watched, now)) started += 1
    }
    this.#arm()
  }

  get #hasRoom(): boolean {
    return this.#inFlight < (this.#settings.concurrency ?? limits.checkConcurrency)
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const waitMs = this.#hasRoom && !this.#ended ? this.#schedule.waitMs(performance.now()) : undefined
    if (waitMs === undefined) return
    if (waitMs > 0) this.#timer = setTimeout(() => this.#turn(), waitMs)
    else if (!this.#turns) {
      this.#turns = true
      setImmediate(() => {
        this.#turns = false
        this.#turn()
      })
    }
  }

  /** False where its last check is still under way: it is skipped, and due again an interval later. */
  #start(watched: Watched, now: number): boolean {
    const { dueAt, isUnderWay } = watched
    watched.startDueAt = isUnderWay ? watched.startDueAt : dueAt
    const intervalMs = this.#next(watched)
    // What is late by whole intervals is not made up for.
    const missed = Math.max(0, Math.floor((now - dueAt) / intervalMs))
    const skipped = missed + Number(isUnderWay)
    watched.skipped += skipped
    if (!watched.isCanary) this.#skipped += skipped
    this.#schedule.add(watched, dueAt + (missed + 1) * intervalMs)
    if (isUnderWay) return false
    this.#delays.add(now - dueAt, now)
    this.#overload.started(now - dueAt, now)
    watched.isUnderWay = true
    this.#inFlight += 1
    checkTarget(watched.planned, this.#run, (results) => this.#done(watched, results[0]))
    return true
  }

  #next(watched: Watched): number {
    watched.started += 1
    return jittered(this.#intervalOf(watched), this.#settings.jitter, watched.hash, watched.started)
  }

  /** `result`: undefined where it was cancelled. */
  #done(watched: Watched, result: CheckResult | undefined): void {
    watched.isUnderWay = false
    this.#inFlight -= 1
    if (result && !watched.isGone && !this.#ended) this.#judge(watched, result)
    if (this.#inFlight === 0) this.#idle?.()
    this.#arm()
  }

  #judge(watched: Watched, result: CheckResult): void {
    const now = performance.now()
    this.#lookForStops(now)
    this.#overload.ended(result.errnoClass === 'local', now)
    watched.last = result
    const before = watched.health
    const intervalMs = this.#intervalOf(watched)
    watched.health = healthAfter(before, this.#saidBy(watched, result, now), epochMs(), this.#settings)
    if (watched.health.state !== before.state) this.#tell(watched, before, result)
    if (!watched.isCanary) this.#onResult?.(watched.key, result, watched.health.state)
    // The time until the next check follows the state that it has now.
    if (this.#intervalOf(watched) !== intervalMs && this.#schedule.delete(watched)) {
      this.#schedule.add(watched, Math.max(now, watched.startDueAt + this.#next(watched)))
    }
  }

  /** What the result says of the target, where this process is in a state to judge. */
  #saidBy({ isCanary }: Watched, { status }: CheckResult, now: number): State {
    if (this.#overload.whyFrozen(now) !== undefined) return 'unknown'
    const isBlind =
      !isCanary && this.#canaries.length > 0 && !this.#canaries.some(({ health }) => health.state === 'up')
    return isBlind && status !== 'up' ? 'unknown' : status
  }

  #tell(watched: Watched, before: Watched['health'], last: CheckResult): void {
    if (watched.isCanary) return
    const { health, planned, target } = watched
    this.#counts[before.state] -= 1
    this.#counts[health.state] += 1
    this.#changes.add({
      target,
      ...(planned.labels && { labels: planned.labels }),
      from: before.state,
      to: health.state,
      at: health.since,
      since: before.since,
      results: health.inARow,
      last,
    })
  }

  /** Time in which this process was blocked or stopped, since this was asked last. */
  #lookForStops(now: number): void {
    const heldUp = heldUpMs()
    this.#overload.heldUp(heldUp - this.#heldUpMs, now)
    this.#heldUpMs = heldUp
  }
}

/** Read as a whole before anything of it is used. */
function entriesOf(targets: Iterable<Watchable>): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const given of targets) {
    const entry = entryOf(given)
    entries.set(entry.key, entry)
  }
  return entries
}
