/** ConnectionManager: owns the engines, the resolver, the limits and every call in progress; nothing is left when it is closed. */
import type { Socket } from 'node:net'
import { closeSocket, Descriptor } from './bridge/descriptor.js'
import { descriptorsFree, localPorts } from './bridge/machine.js'
import { Cancellation } from './call/cancellation.js'
import { type Call, establish } from './call/connect.js'
import { Deadline } from './call/deadline.js'
import * as diagnostics from './call/diagnostics.js'
import { Gate } from './call/gate.js'
import { type Supervision, supervise } from './call/supervisor.js'
import { secure } from './call/tls.js'
import { check } from './check/check.js'
import { Expiring } from './core/expiring.js'
import { Intensity } from './core/intensity.js'
import * as limits from './core/limits.js'
import { List } from './core/list.js'
import { seeded } from './core/random.js'
import { Patience, RetryBudget } from './core/retry.js'
import { parseTarget } from './core/target.js'
import { InFlightWindow, TokenBucket } from './core/window.js'
import { BlockingEngine } from './engines/blocking.js'
import type { Engine } from './engines/engine.js'
import { NonblockingEngine } from './engines/nonblocking.js'
import { ConnectError, deadlineError, lateAbortError, managerClosedError, poolFailedError } from './errors/errors.js'
import { Resolver } from './names/resolver.js'
import {
  requireIterable,
  settledCheckOptions,
  settledConnectOptions,
  settledManagerOptions,
  tlsInOpenError,
  withDefaults,
} from './options.js'
import type {
  CheckOptions,
  CheckResult,
  ConnectOptions,
  EngineName,
  ManagerOptions,
  ManagerStats,
  Target,
} from './types.js'

/** Of a call without options. */
const none: ConnectOptions = {}

export class ConnectionManager implements AsyncDisposable {
  readonly #defaults: ConnectOptions
  readonly #callDefaults: ConnectOptions
  readonly #engines: Record<EngineName, Road>
  readonly #resolver = new Resolver()
  readonly #intensity = new Intensity(limits.failuresAtMost, limits.failurePeriodMs)
  readonly #lastGood = new Expiring<string, string>(limits.lastGoodAtMost)
  readonly #calls = new List<Cancellation>()
  /** Told of the close, and not waited for: a check may be held by someone who never goes on. What it started is. */
  readonly #checks = new List<Cancellation>()
  #settled: (() => void) | undefined
  #closing: Promise<void> | undefined
  #failure: (() => Error) | undefined
  readonly #counts = { delivered: 0, failed: 0, cancelled: 0, retries: 0, requeues: 0 }

  /** @throws RangeError or TypeError that names the option. */
  constructor(options: ManagerOptions = {}) {
    const settings = settledManagerOptions(options)
    const { maxInFlight, lanes = maxInFlight ?? limits.lanes, rate, seed, ...defaults } = settings
    this.#defaults = defaults
    this.#callDefaults = withDefaults({ attemptTimeoutMs: limits.attemptTimeoutMs }, defaults)
    const blocking = new BlockingEngine({ lanes: Math.min(lanes, maxInFlight ?? lanes) }, (error) =>
      this.#onEngineFailure(error),
    )
    const nonblocking = new NonblockingEngine({ inFlight: maxInFlight, lanes: () => blocking })
    const shared = {
      budget: new RetryBudget(),
      random: seeded(seed ?? Math.random() * 2 ** 32),
      onDecision: (action: 'retry' | 'requeue') => {
        this.#counts[action === 'retry' ? 'retries' : 'requeues'] += 1
      },
    }
    const bucket = bucketOf(rate)
    this.#engines = { blocking: roadTo(blocking, bucket, shared), nonblocking: roadTo(nonblocking, bucket, shared) }
  }

  /**
   * A connected, ordinary net.Socket (a tls.TLSSocket with `tls`). Nothing is read, emitted or lost before its
   * first listener is attached. Rejected: nothing is left open.
   * @throws ConnectError; AbortError (ABORT_ERR) when the signal aborts, once everything is released.
   */
  connect(target: Target, options?: ConnectOptions): Promise<Socket> {
    return this.#call(
      target,
      options,
      async (call) => {
        const socket = new Descriptor((await establish(call)).claim, call.options).adopt()
        return call.options.tls ? secure(socket, call) : socket
      },
      closeSocket,
    )
  }

  /**
   * The same without adoption: the descriptor is the caller's to adopt, release or close. It speaks no TLS: a call that
   * asks for it is refused, the manager's default is for its sockets.
   */
  open(target: Target, options?: ConnectOptions): Promise<Descriptor> {
    if (options?.tls) return Promise.reject(tlsInOpenError())
    return this.#call(
      target,
      options,
      async (call) => new Descriptor((await establish(call)).claim, call.options),
      (descriptor) => descriptor.close(),
    )
  }

  /**
   * Connects to each target, records, closes. One result a target, in the order they finish. A slow consumer slows
   * the check. Aborted, it throws AbortError once everything in flight is released; leaving early awaits the same.
   */
  async *check(
    targets: Iterable<Target> | AsyncIterable<Target>,
    options: CheckOptions = {},
  ): AsyncGenerator<CheckResult, void, undefined> {
    if (this.#closing) throw this.#closedError()
    requireIterable(targets)
    const settings = settledCheckOptions(
      withDefaults(
        withDefaults({ attemptTimeoutMs: limits.checkAttemptTimeoutMs, retry: false }, this.#defaults),
        settledCheckOptions(options),
      ),
    ) as CheckOptions & Call['options']
    const { ratePerSecond, perHost, timeoutMs = limits.callTimeoutMs } = settings
    const limited = ratePerSecond !== undefined || perHost !== undefined
    const line = limited ? new Gate({ bucket: bucketOf(ratePerSecond), perHost }) : undefined
    const road = this.#roadFor(settings)
    const supervision = { ...road.supervision, again: line }
    const cancellation = new Cancellation(settings.signal)
    this.#checks.add(cancellation)
    try {
      yield* check(targets, {
        engine: road.engine,
        supervision,
        line,
        cancellation,
        settings,
        alone: { ...settings, attemptTimeoutMs: Math.min(settings.attemptTimeoutMs, timeoutMs) },
        run: (target, work, more) =>
          this.#call(target, { ...settings, ...more, signal: cancellation.signal }, work, () => {}, supervision),
      })
    } finally {
      cancellation.end()
      this.#checks.delete(cancellation)
    }
  }

  stats(): ManagerStats {
    const { blocking, nonblocking } = this.#engines
    const waitingFor = ({ engine, supervision }: Road) => supervision.gate.waiting + engine.load().queued
    return {
      inFlight: this.#calls.size + this.#checks.size,
      waiting: waitingFor(blocking) + waitingFor(nonblocking),
      ...this.#counts,
      engines: { blocking: statsOf(blocking), nonblocking: statsOf(nonblocking) },
    }
  }

  /** Closing or closed, by close() or by itself. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Pending calls reject with AbortError after release. When it resolves nothing of the manager is left: no
   * thread, no descriptor. Delivered sockets are untouched. Later calls reject with ERR_MANAGER_CLOSED. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close(() => lateAbortError(new Error('the manager was closed')))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Runs `work` under the call's signal, deadline, retries and the manager's close. What it yields is delivered in one
   * step, after which a cancel has no effect; a cancel before that discards it. Settles after everything is released.
   * `supervision`: of the check that the call is part of.
   */
  #call<T>(
    target: Target,
    options: ConnectOptions = none,
    work: (call: Call) => Promise<T>,
    discard: (value: T) => void | Promise<void>,
    supervision?: Supervision,
  ): Promise<T> {
    let call: Call
    try {
      call = this.#begin(target, options, supervision)
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise<T>((resolve, reject) => {
      const { cancellation } = call
      const ofCheck = supervision !== undefined
      const fail = (error: unknown) => {
        this.#end(call)
        const why = cancellation.requested ? cancellation.error() : error
        // A deadline, and a manager that gave up, end a call like an abort, but it has failed.
        const cancelled = cancellation.requested && !(why instanceof ConnectError)
        if (!ofCheck) this.#counts[cancelled ? 'cancelled' : 'failed'] += 1
        reject(why)
      }
      const deliver = (value: T) => {
        if (cancellation.requested) {
          Promise.resolve(discard(value)).then(fail, fail)
          return
        }
        this.#end(call)
        // What a check connects to is nobody's.
        if (!ofCheck) {
          this.#counts.delivered += 1
          diagnostics.delivery(target, call.attempts, performance.now() - call.startedAt)
        }
        resolve(value)
      }
      if (cancellation.requested) fail(undefined)
      else supervise(target, call.options.retry ?? {}, call, () => work(call), deliver, fail)
    })
  }

  #begin(target: Target, options: ConnectOptions, supervision?: Supervision): Call {
    if (this.#closing) throw this.#closedError()
    const settled = supervision ? options : settledConnectOptions(options)
    const parsed = parseTarget(target)
    const settings = withDefaults(this.#callDefaults, settled) as Call['options']
    const { attemptTimeoutMs, timeoutMs = limits.callTimeoutMs } = settings
    const cancellation = new Cancellation(settings.signal)
    this.#calls.add(cancellation)
    const { engine, supervision: own } = this.#roadFor(settings)
    const startedAt = performance.now()
    const expire = () => cancellation.request(() => deadlineError(timeoutMs, call))
    const deadline = new Deadline(timeoutMs, startedAt, expire)
    if (!engine.startsAtOnce || timeoutMs < attemptTimeoutMs || settings.tls) deadline.arm()
    const call: Call = {
      target: parsed,
      engine,
      resolver: this.#resolver,
      cancellation,
      deadline,
      options: settings,
      supervision: supervision ?? own,
      patience: new Patience(),
      attempts: [],
      lastGood: this.#lastGood,
      begun: false,
      startedAt,
    }
    return call
  }

  #roadFor({ engine = 'auto' }: ConnectOptions): Road {
    return this.#engines[engine === 'auto' ? limits.autoEngine : engine]
  }

  #end({ cancellation, deadline }: Call): void {
    deadline.end()
    cancellation.end()
    this.#calls.delete(cancellation)
    if (this.#calls.size === 0) this.#settled?.()
  }

  async #close(error: () => Error): Promise<void> {
    // Closing before anybody hears of it, who may call close() in turn.
    await undefined
    for (const cancellation of [...this.#checks.toArray(), ...this.#calls.toArray()]) cancellation.request(error)
    if (this.#calls.size > 0)
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    // The lanes last: what the nonblocking engine could not wait for is on them.
    await this.#engines.nonblocking.engine.close()
    await this.#engines.blocking.engine.close()
    this.#resolver.close()
  }

  /** A worker or a lane failed, and is replaced; too often, and what is wrong is not in them. */
  #onEngineFailure(error: Error): void {
    if (this.#closing || !this.#intensity.exceededBy(performance.now())) return
    this.#failure = () => poolFailedError(error)
    this.#closing = this.#close(this.#failure)
  }

  #closedError(): Error {
    return this.#failure?.() ?? managerClosedError()
  }
}

/** An engine and the way to it: a window of its own, for what one engine makes the machine run out of says little of the other. */
interface Road {
  engine: Engine
  window: InFlightWindow
  supervision: Supervision
}

function roadTo(engine: Engine, bucket: TokenBucket | undefined, shared: Omit<Supervision, 'gate'>): Road {
  const window = new InFlightWindow(Math.min(engine.load().limit, descriptorsFree()))
  const ports = localPorts()
  const gate = new Gate({ window, bucket, perHost: ports < window.ceiling ? ports : undefined })
  return { engine, window, supervision: { ...shared, gate } }
}

const statsOf = ({ engine, window }: Road) => ({ ...engine.load(), window: window.size })

const bucketOf = (perSecond: number | undefined) => (perSecond === undefined ? undefined : new TokenBucket(perSecond))
