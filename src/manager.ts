/** ConnectionManager: owns the engine, the resolver and every call in progress; nothing is left when it is closed. */
import type { Socket } from 'node:net'
import pTimeout from 'p-timeout'

import { Cancellation } from './cancellation.js'
import { check } from './check/check.js'
import { type Call, closed, establish, secure } from './connect.js'
import * as limits from './core/limits.js'
import { Descriptor } from './descriptor.js'
import { BlockingEngine } from './engines/blocking.js'
import type { Engine } from './engines/engine.js'
import { abortError, ConnectError, managerClosedError } from './errors.js'
import { requireCount, requireEngine, requireMs } from './options.js'
import { Resolver } from './resolver.js'
import type { CheckOptions, CheckResult, ConnectOptions, ManagerOptions, ManagerStats, Target } from './types.js'

export class ConnectionManager implements AsyncDisposable {
  readonly #defaults: ConnectOptions
  readonly #engine: Engine
  readonly #resolver = new Resolver()
  readonly #calls = new Set<Cancellation>()
  #settled: (() => void) | undefined
  #closing: Promise<void> | undefined
  #delivered = 0
  #failed = 0
  #cancelled = 0

  /** @throws RangeError or TypeError that names the option. */
  constructor({ maxInFlight, lanes = maxInFlight ?? limits.lanes, ...defaults }: ManagerOptions = {}) {
    requireCount('lanes', lanes, limits.lanesAtMost)
    if (maxInFlight !== undefined) requireCount('maxInFlight', maxInFlight, limits.lanesAtMost)
    requireOptions(defaults)
    this.#defaults = defaults
    this.#engine = new BlockingEngine({ lanes: Math.min(lanes, maxInFlight ?? lanes) })
  }

  /**
   * A connected, ordinary net.Socket (a tls.TLSSocket with `tls`). Nothing is read, emitted or lost before a
   * consumer is attached. Rejected: nothing is left open.
   * @throws ConnectError; AbortError (ABORT_ERR) when the signal aborts, once everything is released.
   */
  connect(target: Target, options?: ConnectOptions): Promise<Socket> {
    return this.#call(
      options,
      async (call) => {
        const { noDelay, keepAlive, allowHalfOpen, tls } = call.options
        const { claim } = await establish(target, call)
        const socket = new Descriptor(claim, { noDelay, keepAlive, allowHalfOpen }).adopt()
        return tls ? secure(socket, target, call) : socket
      },
      closed,
    )
  }

  /** The same without adoption: the descriptor is the caller's to adopt, release or close. No TLS. */
  open(target: Target, options?: ConnectOptions): Promise<Descriptor> {
    return this.#call(
      options,
      async (call) => new Descriptor((await establish(target, call)).claim, call.options),
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
    if (this.#closing) throw managerClosedError()
    const settings = {
      ...this.#defaults,
      attemptTimeoutMs: this.#defaults.attemptTimeoutMs ?? limits.checkAttemptTimeoutMs,
      ...options,
    }
    requireOptions(settings)
    const cancellation = new Cancellation(settings.signal)
    this.#calls.add(cancellation)
    try {
      yield* check(targets, {
        engine: this.#engine,
        cancellation,
        settings,
        run: (each, work) => this.#call(each, work),
      })
    } finally {
      this.#end(cancellation)
    }
  }

  stats(): ManagerStats {
    const engine = this.#engine.stats()
    return {
      inFlight: this.#calls.size,
      waiting: engine.queued,
      delivered: this.#delivered,
      failed: this.#failed,
      cancelled: this.#cancelled,
      engines: { blocking: engine },
    }
  }

  /**
   * Pending calls reject with AbortError after release. When it resolves nothing of the manager is left: no
   * thread, no descriptor. Delivered sockets are untouched. Later calls reject with ERR_MANAGER_CLOSED. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Runs `work` under the call's signal, deadline and the manager's close. What it yields is delivered in one step,
   * after which a cancel has no effect; a cancel before that discards it. Settles after everything is released.
   */
  #call<T>(
    options: ConnectOptions = {},
    work: (call: Call) => Promise<T>,
    discard: (value: T) => void | Promise<void> = () => {},
  ): Promise<T> {
    let call: Call
    try {
      call = this.#begin(options)
    } catch (error) {
      return Promise.reject(error)
    }
    const { cancellation } = call
    const timeoutMs = call.options.timeoutMs ?? limits.callTimeoutMs
    const running = run(call, work)
    // Its own rejection would come before the release, so the fallback cancels and waits for the work's own end.
    const bounded = pTimeout(running, {
      milliseconds: Math.min(timeoutMs, limits.timerAtMostMs),
      fallback: () => {
        cancellation.request(() => deadlineError(timeoutMs, call))
        return running
      },
    })
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#end(cancellation)
        if (cancellation.requested) this.#cancelled++
        else this.#failed++
        reject(cancellation.requested ? cancellation.error() : error)
      }
      bounded.then((value) => {
        if (cancellation.requested) return Promise.resolve(discard(value)).then(fail, fail)
        this.#delivered++
        this.#end(cancellation)
        return resolve(value)
      }, fail)
    })
  }

  #begin(options: ConnectOptions): Call {
    if (this.#closing) throw managerClosedError()
    const settings = { ...this.#defaults, ...options }
    requireOptions(settings)
    const cancellation = new Cancellation(settings.signal)
    this.#calls.add(cancellation)
    return {
      engine: this.#engine,
      resolver: this.#resolver,
      cancellation,
      options: { ...settings, attemptTimeoutMs: settings.attemptTimeoutMs ?? limits.attemptTimeoutMs },
      attempts: [],
    }
  }

  #end(cancellation: Cancellation): void {
    cancellation.end()
    this.#calls.delete(cancellation)
    if (this.#calls.size === 0) this.#settled?.()
  }

  async #close(): Promise<void> {
    const reason = new Error('the manager was closed')
    for (const cancellation of [...this.#calls]) cancellation.request(() => abortError(reason))
    if (this.#calls.size > 0)
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    await this.#engine.close()
    this.#resolver.close()
  }
}

async function run<T>(call: Call, work: (call: Call) => Promise<T>): Promise<T> {
  call.cancellation.throwIfRequested()
  return work(call)
}

function deadlineError(timeoutMs: number, call: Call): ConnectError {
  return new ConnectError({
    code: 'ETIMEDOUT',
    syscall: 'connect',
    errnoClass: 'timed-out',
    timedOutBy: 'deadline',
    attempts: call.attempts,
    detail: `not connected within ${timeoutMs} ms`,
  })
}

function requireOptions(options: ConnectOptions): void {
  requireMs('timeoutMs', options.timeoutMs)
  requireMs('attemptTimeoutMs', options.attemptTimeoutMs)
  requireEngine(options.engine)
}
