/** ConnectionManager: the public face of calls and checks. Nothing is left when it is closed. */
import type { Socket } from 'node:net'

import { closeSocket, Descriptor } from './bridge/descriptor.js'
import { Calls, type Work } from './call/calls.js'
import { establish } from './call/connect.js'
import { type CallSettings, type CheckSettings, checkDefaults, connectDefaults, settle } from './call/settings.js'
import { secure } from './call/tls.js'
import { check } from './check/check.js'
import type { Supply } from './check/pump.js'
import { parseTarget } from './core/target.js'
import {
  requireIterable,
  settledCheckOptions,
  settledConnectOptions,
  settledManagerOptions,
  settledWatchOptions,
  tlsInOpenError,
} from './options.js'
import type {
  CheckOptions,
  CheckResult,
  ConnectOptions,
  ManagerOptions,
  ManagerStats,
  Target,
  WatchOptions,
} from './types.js'
import { type Watchable, type WatchSettings, watchDefaults } from './watch/settings.js'
import { Watch } from './watch/watch.js'

/** An ordinary socket, TLS on top where that is asked for. */
const socketWork: Work<Socket> = {
  run: (call) =>
    establish(call).then<Socket>(({ claim }) => {
      const socket = new Descriptor(claim, call.settings).adopt()
      return call.settings.tls ? secure(socket, call) : socket
    }),
  discard: closeSocket,
}

const descriptorWork: Work<Descriptor> = {
  run: (call) => establish(call).then(({ claim }) => new Descriptor(claim, call.settings)),
  discard: (descriptor) => descriptor.close(),
}

/** What a manager's own adapters need of it. */
export interface Inside {
  readonly calls: Calls
  /** The defaults that its maker gave for calls, and no others. */
  readonly given: ConnectOptions
}

export class ConnectionManager implements AsyncDisposable {
  /** Undefined for what is no manager of this copy of the package. */
  static inside(manager: ConnectionManager): Inside | undefined {
    return #calls in manager ? { calls: manager.#calls, given: manager.#given } : undefined
  }

  readonly #calls: Calls
  readonly #given: ConnectOptions
  readonly #connectDefaults: CallSettings
  readonly #checkDefaults: CheckSettings
  readonly #watchDefaults: WatchSettings

  /** @throws RangeError or TypeError that names the option. */
  constructor(options: ManagerOptions = {}) {
    const { maxInFlight, lanes, rate, seed, nameCacheMs, ...defaults } = settledManagerOptions(options)
    this.#calls = new Calls({ maxInFlight, lanes, rate, seed, nameCacheMs })
    this.#given = defaults
    this.#connectDefaults = settle(connectDefaults, defaults)
    this.#checkDefaults = settle(checkDefaults, defaults)
    this.#watchDefaults = settle(watchDefaults, defaults)
  }

  /**
   * A connected, ordinary net.Socket (a tls.TLSSocket with `tls`). Nothing is read, emitted or lost before its
   * first listener is attached. Rejected: nothing is left open.
   * @throws ConnectError; AbortError (ABORT_ERR) when the signal aborts, once everything is released.
   */
  connect(target: Target, options?: ConnectOptions): Promise<Socket> {
    return this.#call(target, options, socketWork)
  }

  /**
   * The same without adoption: the descriptor is the caller's to adopt, release or close. It speaks no TLS: a call that
   * asks for it is refused, the manager's default is for its sockets.
   */
  open(target: Target, options?: ConnectOptions): Promise<Descriptor> {
    return this.#call(target, options, descriptorWork)
  }

  /**
   * Connects to each target, records, closes. One result a target, in the order they finish. A slow consumer slows
   * the check. Aborted, it throws AbortError once everything in flight is released; leaving early awaits the same.
   */
  async *check(targets: Supply, options: CheckOptions = {}): AsyncGenerator<CheckResult, void, undefined> {
    this.#calls.throwIfClosed()
    requireIterable(targets)
    // Checked again as a whole: an option may exclude a default.
    const settings = settledCheckOptions(settle(this.#checkDefaults, settledCheckOptions(options)))
    yield* check(this.#calls, targets, settings)
  }

  /**
   * Checks each target again and again, and tells what changes: HAProxy's rise and fall. It begins at once, and ends when it is
   * disposed of, when its loop is left, when the signal aborts (AbortError) or when the manager is closed.
   * @throws InvalidTargetError for a target, RangeError or TypeError that names the option.
   */
  watch(targets: Iterable<Watchable>, options: WatchOptions = {}): Watch {
    this.#calls.throwIfClosed()
    requireIterable(targets)
    const settings = settledWatchOptions(settle(this.#watchDefaults, settledWatchOptions(options)))
    return new Watch(this.#calls, targets, settings)
  }

  stats(): ManagerStats {
    return this.#calls.stats()
  }

  /** Forgets what name servers said: every name is asked for anew. */
  flushNames(): void {
    this.#calls.flushNames()
  }

  /** Closing or closed, by close() or by itself. */
  get closed(): boolean {
    return this.#calls.closed
  }

  /**
   * Pending calls reject with AbortError after release. When it resolves nothing of the manager is left: no
   * thread, no descriptor. Delivered sockets are untouched. Later calls reject with ERR_MANAGER_CLOSED. Idempotent.
   */
  close(): Promise<void> {
    return this.#calls.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Options and target are read here, once, before anything of the call exists. */
  #call<T>(target: Target, options: ConnectOptions | undefined, work: Work<T>): Promise<T> {
    try {
      this.#calls.throwIfClosed()
      const settled = options === undefined ? undefined : settledConnectOptions(options)
      if (work === descriptorWork && settled?.tls) throw tlsInOpenError()
      return this.#calls.deliver(parseTarget(target), settle(this.#connectDefaults, settled), work)
    } catch (error) {
      return Promise.reject(error)
    }
  }
}
