/** What a connect of a socket is asked for: Node's options, and cancelpoint's beside them. A name that both have means what Node says. */
import dns from 'node:dns'
import net from 'node:net'
import type { Calls } from '../call/calls.js'
import { type CallSettings, settle } from '../call/settings.js'
import { parseHostname } from '../core/hostname.js'
import { parseTarget } from '../core/target.js'
import { sharedManager } from '../default-manager.js'
import { ConnectionManager } from '../manager.js'
import type { ConnectOptions } from '../types.js'
import type { Way } from './connecting.js'
import { isNormalised, nodesPath } from './nodes-net.js'

/** cancelpoint's own. Without them nothing is retried, and nothing limited that Node would not limit. */
export interface OwnOptions extends Pick<ConnectOptions, 'timeoutMs' | 'attemptTimeoutMs' | 'engine' | 'retry'> {
  /** Of the addresses that the connect may reach, as ConnectOptions has it. */
  blockList?: net.BlockList | undefined
  /** Whose connects they are; the options it was made with hold for each connect that has none of its own. Default: the process's shared one. */
  manager?: ConnectionManager | undefined
}

/** All of net.connect's, with `signal`, `timeout`, `lookup` and `family` as Node has them, and cancelpoint's beside them. */
export type NetOptions = net.NetConnectOpts & net.SocketConstructorOpts & { highWaterMark?: number } & OwnOptions

type Listener = () => void
export type Given = readonly unknown[]

export interface Normalised {
  options: NetOptions
  listener: Listener | undefined
}

/** net.connect's shapes, and what Node's own connect hands on. */
export function nodesArguments(given: Given): Normalised {
  const args = isNormalised(given[0]) ? given[0] : given
  const [first, second] = args
  const last = args[args.length - 1]
  const listener = typeof last === 'function' ? (last as Listener) : undefined
  if (typeof first === 'object' && first !== null) return { options: withNodesPath(first as NetOptions), listener }
  if (typeof first === 'string' && !isNumeric(first)) return { options: { path: nodesPath(first) }, listener }
  const host = typeof second === 'string' ? { host: second } : {}
  return { options: { port: first, ...host } as NetOptions, listener }
}

function withNodesPath(options: NetOptions): NetOptions {
  const { path } = options as Partial<net.IpcNetConnectOpts>
  return typeof path === 'string' && nodesPath(path) !== path ? { ...options, path: nodesPath(path) } : options
}

/** The same, and `(target, options?, listener?)`. */
export function ourArguments(given: Given): Normalised {
  const [first, second] = given
  const { options, listener } = nodesArguments(given)
  if (typeof first !== 'string' || isNumeric(first)) return { options, listener }
  const more = typeof second === 'object' && second !== null ? second : {}
  return { options: { ...more, ...placeOf(first) } as NetOptions, listener }
}

/** As Node tells a port from a path. */
const isNumeric = (text: string): boolean => Number(text) >= 0

/** A path has a slash or no colon, as in '/run/app.sock'. Anything else is a target, as in 'db:5432' and 'unix:/run/app.sock'. */
function placeOf(text: string): { path: string } | { host: string; port: number } {
  const isTarget = /^(tcp:\/\/|unix:)/.test(text) || (text.includes(':') && !text.includes('/'))
  if (!isTarget) return { path: nodesPath(text) }
  const parsed = parseTarget(text)
  if (parsed.kind === 'name') return { host: parsed.hostname, port: parsed.port }
  const { endpoint, zone } = parsed
  if (endpoint.family === 'unix') return { path: endpoint.path }
  return { host: zone === undefined ? endpoint.address : `${endpoint.address}%${zone}`, port: endpoint.port }
}

/** Node's: no limit, one try, and a lack of this machine is told at once. */
const nodesDefaults: CallSettings = {
  timeoutMs: Number.POSITIVE_INFINITY,
  attemptTimeoutMs: Number.POSITIVE_INFINITY,
  retry: false,
}

/** What a manager's maker gave for connects, over Node's defaults. It stays the same. */
const bases = new WeakMap<ConnectionManager, { calls: Calls; settings: CallSettings }>()

function baseOf(manager: ConnectionManager): { calls: Calls; settings: CallSettings } {
  const known = bases.get(manager)
  if (known) return known
  const inside = ConnectionManager.inside(manager)
  if (!inside) throw new TypeError('manager is of another copy of cancelpoint: give one of this copy, or leave it out')
  const { tls, noDelay, keepAlive, allowHalfOpen, ...given } = inside.given
  const base = { calls: inside.calls, settings: settle(nodesDefaults, given) }
  bases.set(manager, base)
  return base
}

/** A new one for each connect, which may set its look-up. Property by property: spreads cost more than the rest of it. */
export function wayOf(options: NetOptions & Partial<net.TcpNetConnectOpts>): Way {
  const { calls, settings: base } = baseOf(options.manager ?? sharedManager())
  const settings: CallSettings = { ...base }
  for (const name of own) {
    const value = options[name]
    if (value !== undefined) Object.assign(settings, { [name]: value })
  }
  const { localAddress, localPort } = options
  settings.firstAddressOnly = !(options.autoSelectFamily ?? net.getDefaultAutoSelectFamily())
  settings.attemptDelayMs = options.autoSelectFamilyAttemptTimeout ?? net.getDefaultAutoSelectFamilyAttemptTimeout()
  settings.patient = settings.retry !== false
  // Node checks them as it connects, so what is no kind of theirs is left to it.
  const family = familyOf(options.family)
  if (family) settings.family = family
  if (localAddress) settings.localAddress = localAddress
  if (localPort) settings.localPort = localPort
  return { calls, settings, listsAttempts: !settings.firstAddressOnly && !family && !localAddress }
}

const own = ['timeoutMs', 'attemptTimeoutMs', 'engine', 'retry', 'blockList'] as const

/** The limit of a call with these options. */
export const timeoutMsOf = ({ timeoutMs, manager }: OwnOptions): number | undefined =>
  timeoutMs ?? (manager && ConnectionManager.inside(manager)?.given.timeoutMs)

function familyOf(family: unknown): 4 | 6 | undefined {
  if (family === 4 || family === 'IPv4') return 4
  return family === 6 || family === 'IPv6' ? 6 : undefined
}

/**
 * The look-up that a connect is to make as Node would: by the caller's function; by getaddrinfo where its hints are asked
 * for, and where what stands for a name or a family is none that cancelpoint knows. Node's own then says so. `hasOther`: the
 * manager has a look-up, which may know any name.
 */
export function lookupOf(
  { lookup, hints, family }: Partial<net.TcpNetConnectOpts>,
  hostname: unknown,
  hasOther: boolean,
): net.LookupFunction | undefined {
  if (typeof lookup === 'function') return lookup
  const isOurs =
    (!hints || hints === dns.ADDRCONFIG) &&
    (!family || familyOf(family) !== undefined) &&
    typeof hostname === 'string' &&
    (hasOther || parseHostname(hostname) !== undefined)
  return isOurs ? undefined : (dns.lookup as net.LookupFunction)
}

interface Asked {
  readonly lookup: net.LookupFunction
  readonly hostname: string
  readonly port: number
  readonly options: dns.LookupOptions
}

/** Asks a look-up of Node's kind. The first time it is asked at once, so that what it throws is thrown to who connects. */
export function promised(asked: Asked): NonNullable<ConnectOptions['lookup']> {
  let first: Promise<string[]> | undefined = ask(asked)
  first.catch(() => {})
  return () => {
    const asking = first ?? ask(asked)
    first = undefined
    return asking
  }
}

function ask({ lookup, hostname, port, options }: Asked): Promise<string[]> {
  const { promise, resolve, reject } = withResolvers<Found[]>()
  lookup(hostname, options, (error: Error | null, found: unknown, family?: number) => {
    if (error) reject(error)
    else resolve(Array.isArray(found) ? found : [{ address: found, family }])
  })
  return promise.then((found) => addressesIn(found, hostname, port))
}

function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((onSuccess, onFailure) => {
    resolve = onSuccess
    reject = onFailure
  })
  return { promise, resolve, reject }
}

type Found = { address?: unknown; family?: unknown } | null | undefined

/** What is no address, or is said to be of no family, is left out, as Node does, unless there is nothing else. */
function addressesIn(found: readonly Found[], host: string, port: number): string[] {
  const isAddress = (each: Found) => typeof each?.address === 'string' && net.isIP(each.address) !== 0
  const some = found.filter((each) => isAddress(each) && (each!.family === 4 || each!.family === 6))
  const [first] = found
  if (some.length > 0 || found.length === 0) return some.map((each) => each!.address as string)
  if (!isAddress(first)) {
    const error = new TypeError(`Invalid IP address: ${String(first?.address)}`)
    throw Object.assign(error, { code: 'ERR_INVALID_IP_ADDRESS' })
  }
  const error = new RangeError(`Invalid address family: ${String(first!.family)} ${host}:${port}`)
  throw Object.assign(error, { code: 'ERR_INVALID_ADDRESS_FAMILY', host, port })
}
