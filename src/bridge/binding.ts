/** What the addon offers. native/addon.cc documents each function beside its code. */
import nodeModule from 'node:module'
import type { Ledger } from '../types.js'

/**
 * Returned numbers are counts or descriptors where they are not negative, and negative errnos where they are.
 * Ids are attempt ids, below 2^53.
 */
export interface Binding {
  /** The numbers that a request is written as, in this order. */
  readonly requestFields: readonly RequestField[]
  /** The numbers that an outcome is written as, in this order. */
  readonly outcomeFields: readonly OutcomeField[]
  readonly attemptFlags: Readonly<Record<AttemptFlagName, number>>
  /** By the number that an outcome has for its state. */
  readonly stateNames: readonly AttemptState[]
  /** By the number that an outcome has for the call that failed. */
  readonly callNames: readonly string[]
  /** Socket options that setOption knows. */
  readonly optionNames: readonly string[]
  /** An id is its slot's generation and, below so much, the slot. */
  readonly slots: number

  // The registry, and this environment's outbox.
  reserve(requests: Float64Array, addresses: Uint8Array, count: number, ids: Float64Array): number
  forfeit(ids: Float64Array): void
  /** How many are over already, and wait to be drained without a call back. */
  cancel(ids: Float64Array, count: number): number
  onOutcomes(callback: () => void): number
  /** Whether outcomes to come keep the event loop alive. */
  hold(on: boolean): number
  drain(into: Float64Array, room: number): number
  claim(id: number): number
  handOver(id: number): void
  disown(id: number): number
  ledger(): Ledger

  // Lanes.
  /** The number of this environment's group of lanes, which it opens. Once. */
  openLanes(maxLanes: number, stackBytes: number, idleMs: number): number
  /** 0, or -ESRCH where that group has closed: the ids are still reserved then. */
  submitToLanes(group: number, ids: Float64Array, count: number): number

  // The reactors.
  /** The first user in the process says how many there may be. */
  startReactors(atMost: number): [errno: number, call: number]
  stopReactors(): number
  /** How many are over already, and wait to be drained without a call back. */
  submitToReactors(ids: Float64Array, count: number): number

  // Descriptors, for cancelpoint/posix and the lab.
  socket(domain: number, type: number): number
  setNonblocking(fd: number, on: boolean): number
  isNonblocking(fd: number): number
  bind(fd: number, address: Uint8Array): number
  connectNow(fd: number, address: Uint8Array): number
  getpeername(fd: number): Buffer | number
  getsockname(fd: number): Buffer | number
  setOption(fd: number, name: string, value: number): number
  bindToDevice(fd: number, device: string): number
  listen(fd: number, backlog: number): number
  listenDrops(fd: number): number
  socketError(fd: number): number
  /** Bytes that wait to be read: FIONREAD. */
  unread(fd: number): number
  close(fd: number): number
  /** RLIMIT_NOFILE, the soft one. */
  descriptorLimit(): number

  /** The seam, for tests: the nth call of a kind (0: every one) is delayed and fails with a positive errno, unless 0. */
  inject(call: string, nth: number, errno: number, delayUs: number): number
  jitter(seed: number, maxUs: number): void
  clearFaults(): void
  callsSeen(call: string): number
}

export type RequestField = 'flags' | 'timeoutMs' | 'fd' | 'pollEvents' | 'family' | 'remoteLength' | 'localLength'

export type OutcomeField =
  | 'id'
  | 'state'
  | 'errno'
  | 'call'
  | 'byDeadline'
  | 'yields'
  | 'revents'
  | 'startedAt'
  | 'waitedMs'
  | 'durationMs'

export type AttemptFlagName = 'probe' | 'borrowed' | 'poll' | 'halfOpen' | 'fin'

/** The states that an outcome can tell of. The addon names all states of an attempt: native/attempt.h. */
export type AttemptState = 'connected' | 'failed' | 'cancelled' | 'lost'

/** As addon-error.cts has it, which a bundle leaves behind. The frames would hide the sentence. */
class AddonError extends Error {
  readonly code = 'ERR_ADDON_BUNDLED'

  constructor(message: string, cause: Error) {
    super(message, { cause })
    this.name = 'AddonError'
    this.stack = `${this.name}: ${message}`
    cause.stack = `${cause.name}: ${cause.message}`
  }
}

export const binding: Binding = load()

declare const __webpack_require__: unknown

function load(): Binding {
  let require: NodeJS.Require
  let file: string
  try {
    // A bundler moves this code, and leaves the addon and the workers behind. webpack writes the old place into import.meta.url.
    if (typeof __webpack_require__ === 'function') throw new Error('this is a bundle of webpack or rspack')
    const here: string = import.meta.url
    require = nodeModule.createRequire(here)
    file = require.resolve('./addon.cjs')
  } catch (cause) {
    const message =
      'cancelpoint: it runs out of a bundle, without its native addon and its workers: ' +
      "leave it out of the bundle (external: ['cancelpoint', 'cancelpoint/*']; docs/installing.md says more)"
    throw new AddonError(message, cause as Error)
  }
  return require(file)
}
