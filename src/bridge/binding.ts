/** What the addon offers. native/addon.cc documents each function beside its code. */
import { createRequire } from 'node:module'

/**
 * Returned numbers are counts or descriptors where they are not negative, and negative errnos where they are.
 * Ids are attempt ids, below 2^53.
 */
export interface Binding {
  readonly callNames: readonly string[]
  readonly optionNames: readonly string[]

  onOutcomes(callback: () => void): number
  hold(on: boolean): number
  reserve(records: Uint8Array, count: number, ids: Float64Array): number
  laneOptions(maxLanes: number, stackBytes: number, idleMs: number): void
  start(ids: Float64Array): number
  startReactor(): [errno: number, call: number]
  stopReactor(): number
  /** How many are over already, and wait to be drained without a call back. */
  submit(ids: Float64Array, count: number): number
  forfeit(ids: Float64Array): void
  cancel(ids: Float64Array, count: number): void
  drain(into: Float64Array, room: number): number
  claim(id: number): number
  handOver(id: number): void
  disown(id: number): number
  ledger(): [descriptors: number, buffers: number, lanes: number, attempts: number]

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

/** States of an attempt as drain reports them: native/attempt.h. */
export const AttemptState = { connected: 5, failed: 6, cancelled: 7, lost: 8 } as const
export type AttemptState = (typeof AttemptState)[keyof typeof AttemptState]

export const AttemptFlag = { none: 0, probe: 1, borrowed: 2, poll: 4, halfOpen: 8 } as const

/** Numbers an outcome takes in drain's array: id, state, errno, call, bits (1 by deadline, 2 yields a descriptor), started at, duration, revents. */
export const outcomeFields = 8

export const binding: Binding = load()

function load(): Binding {
  let require: NodeJS.Require
  let file: string
  try {
    // A bundler moves this code, and leaves the addon and the workers behind.
    require = createRequire(import.meta.url)
    file = require.resolve('./addon.cjs')
  } catch (cause) {
    const message =
      'cancelpoint: it runs out of a bundle, without its native addon and its workers: ' +
      "leave it out of the bundle (external: ['cancelpoint', 'cancelpoint/*']; docs/installing.md says more)"
    throw Object.assign(new Error(message, { cause }), { name: 'AddonError', code: 'ERR_ADDON_BUNDLED' })
  }
  return require(file)
}
