/** Checks of what a caller passes in: one clear error that names the option, what came and what was expected. */
import { endpointOf } from './core/address.js'
import * as limits from './core/limits.js'
import { requireRetryPolicy } from './core/retry.js'
import { type CheckOptions, type ConnectOptions, engineNames, type ManagerOptions } from './types.js'

/** A duration: above 0; Infinity is no limit. */
function requireMs(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value === 'number' && value > 0) return
  throw new RangeError(`${name} is ${describe(value)}: expected milliseconds above 0, or Infinity for no limit`)
}

export function requireCount(name: string, value: unknown, atMost: number): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= atMost) return
  throw new RangeError(`${name} is ${describe(value)}: expected a whole number from 1 to ${atMost}`)
}

function requireEngine(value: unknown): void {
  if (value === undefined || value === 'auto' || engineNames.some((name) => name === value)) return
  throw new TypeError(`engine is ${describe(value)}: expected 'blocking', 'nonblocking' or 'auto'`)
}

/** `options` over `defaults`, neither of which is changed; one that is there but undefined hides no default. */
export function withDefaults<Options extends ConnectOptions>(defaults: ConnectOptions, options: Options): Options {
  const names = Object.keys(options) as (keyof ConnectOptions)[]
  if (names.length === 0) return defaults as Options
  const merged: Record<string, unknown> = { ...defaults }
  for (const name of names) if (options[name] !== undefined) merged[name] = options[name]
  return merged as unknown as Options
}

const describe = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value))

function requireRate(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY)) return
  throw new RangeError(`${name} is ${describe(value)}: expected a number a second above 0`)
}

/** A string is iterable too, letter by letter, which nobody means. */
export function requireIterable(targets: unknown): void {
  const iterable = typeof targets === 'object' && targets !== null
  if (iterable && (Symbol.iterator in targets || Symbol.asyncIterator in targets)) return
  throw new TypeError(`targets is ${describe(targets)}: expected an iterable of targets, such as an array`)
}

function requireSource({ localAddress, localPort }: ConnectOptions): void {
  if (localAddress !== undefined && !(typeof localAddress === 'string' && endpointOf(localAddress, 0))) {
    throw new TypeError(`localAddress is ${describe(localAddress)}: expected a numeric IPv4 or IPv6 address`)
  }
  if (localPort === undefined || (Number.isInteger(localPort) && localPort >= 0 && localPort <= 65_535)) return
  throw new RangeError(`localPort is ${describe(localPort)}: expected a whole number from 0 to 65535`)
}

/** What is called later must be there to be called. */
function requireMethod(name: string, value: unknown, method: string, expected: string): void {
  if (value === undefined || typeof (value as Record<string, unknown> | null)?.[method] === 'function') return
  throw new TypeError(`${name} is ${describe(value)}: expected ${expected}`)
}

export function requireOptions(options: ConnectOptions & CheckOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options is ${describe(options)}: expected an object such as { timeoutMs: 5_000 }`)
  }
  requireMethod('signal', options.signal, 'addEventListener', 'an AbortSignal')
  requireMs('timeoutMs', options.timeoutMs)
  requireMs('attemptTimeoutMs', options.attemptTimeoutMs)
  requireEngine(options.engine)
  requireRetryPolicy(options.retry)
  requireSource(options)
  requireMethod('blockList', options.blockList, 'check', 'a net.BlockList')
  requireMethod('lookup', options.lookup, 'call', 'a function from a name to numeric addresses')
  requireRate('ratePerSecond', options.ratePerSecond)
  if (options.perHost !== undefined) requireCount('perHost', options.perHost, limits.lanesAtMost)
  if (options.halfOpen && options.tls) throw new TypeError('halfOpen and tls exclude each other: give one of them')
}

export function requireManagerOptions({ lanes, maxInFlight, rate, seed, ...defaults }: ManagerOptions): void {
  if (lanes !== undefined) requireCount('lanes', lanes, limits.lanesAtMost)
  if (maxInFlight !== undefined) requireCount('maxInFlight', maxInFlight, limits.lanesAtMost)
  requireRate('rate', rate)
  if (seed !== undefined && !Number.isFinite(seed)) throw new RangeError(`seed is ${describe(seed)}: expected a number`)
  requireOptions(defaults)
}
