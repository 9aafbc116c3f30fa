/** Checks of what a caller passes in: one clear error that names the option, what came and what was expected. */
import { endpointOf } from './core/endpoint.js'
import { show } from './core/invalid-target.js'
import {
  isObject,
  type Kind,
  kind,
  numberKind,
  objectKind,
  requireKind,
  requireKinds,
  wholeNumber,
} from './core/kinds.js'
import * as limits from './core/limits.js'
import { requireRetryPolicy } from './core/retry.js'
import { type CheckOptions, type ConnectOptions, engineNames, type ManagerOptions } from './types.js'

const isFunction = (value: unknown) => typeof value === 'function'

/** By what is called of it, not by its class: a signal may come from another realm. */
export const signalKind = kind('an AbortSignal', (value) => {
  if (!isObject(value) || typeof value.aborted !== 'boolean') return false
  return isFunction(value.addEventListener) && isFunction(value.removeEventListener)
})

const optionsKind = objectKind('{ timeoutMs: 5_000 }')
const duration = numberKind('milliseconds above 0, or Infinity for no limit', (value) => value > 0)
const rate = numberKind('a number a second above 0', (value) => value > 0 && value < Number.POSITIVE_INFINITY)
const count = wholeNumber(1, limits.lanesAtMost)

const callKinds = {
  signal: signalKind,
  timeoutMs: duration,
  attemptTimeoutMs: duration,
  engine: kind("'blocking', 'nonblocking' or 'auto'", (value) => {
    return value === 'auto' || engineNames.some((name) => name === value)
  }),
  localAddress: kind('a numeric IPv4 or IPv6 address', (value) => {
    return typeof value === 'string' && endpointOf(value, 0) !== undefined
  }),
  localPort: wholeNumber(0, 65_535),
  blockList: kind('a net.BlockList', (value) => isObject(value) && isFunction(value.check)),
  lookup: kind('a function from a name to numeric addresses', isFunction),
  tls: kind('true, false or an object as tls.connect takes it', (value) => {
    return typeof value === 'boolean' || isObject(value)
  }),
  concurrency: count,
  ratePerSecond: rate,
  perHost: count,
} satisfies Partial<Record<keyof CheckOptions, Kind>>

const managerKinds = {
  ...callKinds,
  lanes: count,
  maxInFlight: count,
  rate,
  seed: numberKind('a number', Number.isFinite),
} satisfies Partial<Record<keyof CheckOptions | keyof ManagerOptions, Kind>>

export const requireOptions = (options: CheckOptions): void => requireAll(options, callKinds)

export const requireManagerOptions = (options: ManagerOptions): void => requireAll(options, managerKinds)

function requireAll(options: CheckOptions, kinds: Record<string, Kind>): void {
  requireKind('options', options, optionsKind)
  requireKinds(options, kinds)
  requireRetryPolicy(options.retry)
  if (options.halfOpen && options.tls) throw new TypeError('halfOpen and tls exclude each other: give one of them')
}

export function tlsInOpenError(): TypeError {
  return new TypeError('tls is given to open(), whose descriptor speaks none: use connect(), or leave tls out')
}

/** A string is iterable too, letter by letter, which nobody means. */
export function requireIterable(targets: unknown): void {
  const iterable = typeof targets === 'object' && targets !== null
  if (iterable && (Symbol.iterator in targets || Symbol.asyncIterator in targets)) return
  throw new TypeError(`targets is ${show(targets)}: expected an iterable of targets, such as an array`)
}

/** `options` over `defaults`, neither of which is changed; one that is there but undefined hides no default. */
export function withDefaults<Options extends ConnectOptions>(defaults: ConnectOptions, options: Options): Options {
  const names = Object.keys(options) as (keyof ConnectOptions)[]
  if (names.length === 0) return defaults as Options
  const merged: Record<string, unknown> = { ...defaults }
  for (const name of names) if (options[name] !== undefined) merged[name] = options[name]
  return merged as unknown as Options
}
