/**
 * The life of calls. What a manager's calls share is here (engines, resolver, limits, counts), with the list of those in
 * progress; a call begins here, runs its work under its signal, deadline and retries, and ends here, once. Manager and check
 * stand above it.
 */
import { descriptorsFree, localPorts } from '../bridge/machine.js'
import { performance } from '../core/clock.js'
import { Expiring } from '../core/expiring.js'
import { Intensity } from '../core/intensity.js'
import * as limits from '../core/limits.js'
import { List } from '../core/list.js'
import { seeded } from '../core/random.js'
import { RetryBudget } from '../core/retry.js'
import type { ParsedTarget } from '../core/target.js'
import { InFlightWindow, TokenBucket } from '../core/window.js'
import type { Engine } from '../engines/engine.js'
import { closeEngines, type Engines, openEngines } from '../engines/engines.js'
import { lateAbortError, managerClosedError } from '../errors/abort-error.js'
import { ConnectError, poolFailedError } from '../errors/connect-error.js'
import { Resolver } from '../names/resolver.js'
import type { ConnectOptions, EngineName, ManagerStats } from '../types.js'
import { Call, type Means, type Observer } from './call.js'
import type { Cancellation } from './cancellation.js'
import * as diagnostics from './diagnostics.js'
import { Gate } from './gate.js'
import type { CallSettings } from './settings.js'
import { supervise } from './supervisor.js'

export interface CallsOptions {
  maxInFlight?: number | undefined
  lanes?: number | undefined
  rate?: number | undefined
  seed?: number | undefined
  nameCacheMs?: number | undefined
}

/** An engine and the way to it. Each has a window of its own, because a lack that one engine meets says little about the other. */
interface Road {
  readonly window: InFlightWindow
  readonly means: Means
}

/** What a piece of work yields, and how that is undone if the call was cancelled before it could be delivered. */
export interface Work<T> {
  run(call: Call): Promise<T>
  discard(value: T): void | Promise<void>
  readonly observer?: Observer
}

export class Calls {
  readonly #engines: Engines
  readonly #roads: Readonly<Record<EngineName, Road>>
  readonly #resolver: Resolver
  readonly #intensity = new Intensity(limits.failuresAtMost, limits.failurePeriodMs)
  readonly #inProgress = new List<Cancellation>()
  /** Checks are told of the close. They are not waited for, because a consumer may never go on; the targets that they started are. */
  readonly #checks = new List<Cancellation>()
  #plain = 0
  #idle: (() => void) | undefined
  #closing: Promise<void> | undefined
  #failure: (() => Error) | undefined
  readonly #counts = { delivered: 0, failed: 0, cancelled: 0, retries: 0, requeues: 0 }

  constructor({ maxInFlight, lanes = lanesFor(maxInFlight), rate, seed, nameCacheMs }: CallsOptions) {
    this.#resolver = new Resolver({ cacheMs: nameCacheMs })
    this.#engines = openEngines({
      lanes: Math.min(lanes, maxInFlight ?? lanes),
      inFlight: maxInFlight,
      onFailure: (error) => this.#onEngineFailure(error),
    })
    const shared = {
      budget: new RetryBudget(),
      random: seeded(seed ?? Math.random() * 2 ** 32),
      onDecision: (action: 'retry' | 'requeue') => {
        this.#counts[action === 'retry' ? 'retries' : 'requeues'] += 1
      },
    }
    const lastGood = new Expiring<string, string>(limits.lastGoodAtMost)
    const bucket = bucketOf(rate)
    const roadTo = (engine: Engine): Road => {
      const { window, gate } = gateOf(engine, bucket)
      return { window, means: { engine, resolver: this.#resolver, supervision: { ...shared, gate }, lastGood } }
    }
    this.#roads = mapped(this.#engines, roadTo)
  }

  /** Closing or closed, by close() or by itself. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** What a call with these options may use. */
  meansFor({ engine = 'auto' }: ConnectOptions): Means {
    return this.#roads[engine === 'auto' ? limits.autoEngine : engine].means
  }

  /** @throws ERR_MANAGER_CLOSED, or why the manager closed itself. */
  throwIfClosed(): void {
    if (this.#closing) throw this.#failure?.() ?? managerClosedError()
  }

  /**
   * A call of the public face. Its socket or descriptor is the caller's from the moment the promise resolves, and it is counted.
   * @throws what the call rejects with, once everything it held is released.
   */
  deliver<T>(target: ParsedTarget, settings: CallSettings, work: Work<T>): Promise<T> {
    return this.#run(target, settings, this.meansFor(settings), work, (call, error) => {
      if (error === undefined) {
        this.#counts.delivered += 1
        diagnostics.delivery(call)
        return
      }
      // A deadline, and a manager that gave up, end a call like an abort, but the call has failed.
      const cancelled = call.cancellation.requested && !(error instanceof ConnectError)
      this.#counts[cancelled ? 'cancelled' : 'failed'] += 1
    })
  }

  /** A call on behalf of a check, which keeps nothing of what was connected. */
  probe<T>(target: ParsedTarget, settings: CallSettings, means: Means, run: (call: Call) => Promise<T>): Promise<T> {
    return this.#run(target, settings, means, { run, discard() {} }, () => {})
  }

  /** A check is told of the manager's close until it has ended. */
  checkBegins(cancellation: Cancellation): void {
    this.throwIfClosed()
    this.#checks.add(cancellation)
  }

  checkEnds(cancellation: Cancellation): void {
    this.#checks.delete(cancellation)
  }

  /** Targets that are checked without a call of their own, in progress now. */
  countPlain(change: 1 | -1): void {
    this.#plain += change
  }

  stats(): ManagerStats {
    const waiting = ({ means }: Road) => means.supervision.gate.waiting + means.engine.load().queued
    return {
      inFlight: this.#inProgress.size + this.#plain,
      waiting: Object.values(this.#roads).reduce((sum, road) => sum + waiting(road), 0),
      ...this.#counts,
      engines: mapped(this.#roads, statsOf),
    }
  }

  /** What name servers said is asked anew from now on. */
  flushNames(): void {
    this.#resolver.flush()
  }

  /** Cancels every call; resolves when all are settled and nothing of the engines is left. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close(() => lateAbortError(new Error('the manager was closed')))
    return this.#closing
  }

  /**
   * Runs the work under the call's signal, deadline, retries and the close. What it yields is delivered in one step, after
   * which a cancel has no effect; a cancel before that discards it. Settles after everything is released.
   */
  #run<T>(
    target: ParsedTarget,
    settings: CallSettings,
    means: Means,
    work: Work<T>,
    ended: (call: Call, error?: unknown) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.throwIfClosed()
      const call = new Call(target, settings, means, work.observer)
      const { cancellation } = call
      this.#inProgress.add(cancellation)
      const fail = (error: unknown) => {
        this.#end(call)
        const why = cancellation.requested ? cancellation.error() : error
        ended(call, why)
        reject(why)
      }
      const deliver = (value: T) => {
        if (cancellation.requested) {
          Promise.resolve(work.discard(value)).then(fail, fail)
          return
        }
        this.#end(call)
        ended(call)
        resolve(value)
      }
      if (cancellation.requested) fail(undefined)
      else supervise(call, () => work.run(call), deliver, fail)
    })
  }

  #end(call: Call): void {
    call.end()
    this.#inProgress.delete(call.cancellation)
    if (this.#inProgress.size === 0) this.#idle?.()
  }

  async #close(error: () => Error): Promise<void> {
    // `closed` is true before anybody hears of the close, who may call close() in turn.
    await undefined
    for (const cancellation of [...this.#checks.toArray(), ...this.#inProgress.toArray()]) cancellation.request(error)
    if (this.#inProgress.size > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    await closeEngines(this.#engines)
    this.#resolver.close()
  }

  /** A worker or a lane failed, and is replaced. If that happens too often, what is wrong is not in them. */
  #onEngineFailure(error: Error): void {
    if (this.#closing || !this.#intensity.exceededBy(performance.now())) return
    this.#failure = () => poolFailedError(error)
    this.#closing = this.#close(this.#failure)
  }
}

/** As many as may be in flight, where that is not more than a machine has threads for. */
const lanesFor = (maxInFlight = limits.lanes): number => Math.min(maxInFlight, limits.lanesAtMost)

/** The same for each engine. */
function mapped<From, To>(each: Readonly<Record<EngineName, From>>, to: (from: From) => To): Record<EngineName, To> {
  return Object.fromEntries(Object.entries(each).map(([name, from]) => [name, to(from)])) as Record<EngineName, To>
}

function gateOf(engine: Engine, bucket: TokenBucket | undefined): { window: InFlightWindow; gate: Gate } {
  const window = new InFlightWindow(Math.min(engine.load().limit, descriptorsFree()))
  const ports = localPorts()
  return { window, gate: new Gate({ window, bucket, perHost: ports < window.ceiling ? ports : undefined }) }
}

const statsOf = ({ means, window }: Road) => ({ ...means.engine.load(), window: window.size })

/** Starts a second; undefined for no limit. */
export const bucketOf = (perSecond: number | undefined) =>
  perSecond === undefined ? undefined : new TokenBucket(perSecond)
