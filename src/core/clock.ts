/**
 * Node's timers and clocks, taken once as this module loads: a test that fakes the global ones afterwards (sinon, vitest,
 * node:test) does not stop a connect under way, nor its deadline. They have Node's names, so an import is all it takes.
 *
 * Where fakes stand already as this module loads, timeouts and clocks are whatever stands there at each call. `setImmediate`
 * and `nextTick` are microtasks then, which happen whatever is faked, because no call may wait for ever for a turn.
 *
 * The decisions in this folder do not use this module: they are told `now`.
 */

/** Sinon's fakes, which vitest and jest use too, carry their clock; node:test's are bound functions, and named so. */
const isFake = (own: { name: string }, name: string): boolean => own.name !== name || 'clock' in own

/** What a driver waits by; the tests of one give their own. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  setTimeout(run: () => void, delayMs: number): NodeJS.Timeout
  clearTimeout(timer: NodeJS.Timeout | undefined): void
}

const timersAreFake = isFake(globalThis.setTimeout, 'setTimeout')

export const setTimeout: Clock['setTimeout'] = timersAreFake
  ? (run, delayMs) => globalThis.setTimeout(run, delayMs)
  : globalThis.setTimeout

export const clearTimeout: Clock['clearTimeout'] = timersAreFake
  ? (timer) => globalThis.clearTimeout(timer)
  : globalThis.clearTimeout

/** Whether a timer may have been lost, as a test took its fakes away. It must not be waited for alone then. */
export const mayLoseTimers = timersAreFake

const resolved = Promise.resolve()
const microtask = (run: () => void): void => {
  resolved.then(run)
}

export const setImmediate: (run: () => void) => void = isFake(globalThis.setImmediate, 'setImmediate')
  ? microtask
  : globalThis.setImmediate

export const nextTick: (run: () => void) => void = isFake(process.nextTick, 'nextTick') ? microtask : process.nextTick

const monotonic = globalThis.performance
/** Milliseconds that no change of the wall clock moves: for every duration and deadline. */
export const performance: { now(): number } = {
  now: isFake(monotonic.now, 'now') ? () => globalThis.performance.now() : monotonic.now.bind(monotonic),
}

export const nodesClock: Clock = { now: performance.now, setTimeout, clearTimeout }

/** Milliseconds since the epoch: for moments that people read, and nothing else. */
export const epochMs: () => number = isFake(Date.now, 'now') ? () => Date.now() : Date.now
