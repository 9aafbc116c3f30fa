/** Targets as people write them, and the endpoints they name. Pure: names are not resolved, interfaces not looked up. */

import { type Endpoint, formatPath } from './endpoint.js'
import { isDigitsAndDots, parseHostname } from './hostname.js'
import { InvalidTargetError, toText } from './invalid-target.js'
import { formatIpv6, parseIpv4, parseIpv6, splitZone } from './ip.js'
import { pathBytesAtMost } from './sockaddr.js'

/**
 * What a person writes. Strings: `host:port`, `tcp://host:port`, `1.2.3.4:80`, `[::1]:80`, `unix:/path`,
 * `unix:@abstract`. A path that starts with `@` or NUL is in Linux's abstract namespace.
 */
export type Target = string | { host: string; port: number } | { path: string }

/** `zone`: an interface's name, to be turned into a scope id where interfaces can be looked up. */
export type ParsedTarget =
  | { kind: 'endpoint'; endpoint: Endpoint; zone?: string }
  | { kind: 'name'; hostname: string; port: number }

const forms = 'host:port, [IPv6 address]:port, unix:/path or unix:@name'
const encoder = new TextEncoder()

/**
 * Reads a target. `unix:` is always a path, so a host of that name is written `tcp://unix:80`. A hostname keeps its
 * spelling; one in another script comes back as punycode.
 * @throws InvalidTargetError
 */
export function parseTarget(target: Target): ParsedTarget {
  if (typeof target === 'string') return parseText(target)
  if (typeof target === 'object' && target !== null) {
    if ('path' in target && typeof target.path === 'string') return parsePath(target.path, target)
    if ('host' in target && typeof target.host === 'string') return parseObject(target)
  }
  throw new InvalidTargetError(target, `${forms}, { host, port } or { path }`, 'give one of these')
}

function parseText(text: string): ParsedTarget {
  if (text.startsWith('unix:')) return parsePath(text.slice(5), text)
  const rest = withoutScheme(text)
  if (rest.startsWith('[')) return parseBracketed(rest, text)
  const colon = rest.lastIndexOf(':')
  if (colon < 0) throw new InvalidTargetError(text, forms, `add the port: ${isPlain(rest) ? rest : 'localhost'}:80`)
  const host = rest.slice(0, colon)
  if (host.includes(':')) throw manyColons(rest, text)
  return parseHost(host, parsePort(rest.slice(colon + 1), text), text)
}

/** Fit to be shown as it is. */
function isPlain(text: string): boolean {
  return /^[\w.:%-]{1,64}$/.test(text)
}

function withoutScheme(text: string): string {
  const at = text.indexOf('://')
  if (at < 0) return text
  if (text.slice(0, at) === 'tcp') return text.slice(at + 3)
  throw new InvalidTargetError(text, forms, "leave out what stands before '://' and write host and port")
}

function manyColons(rest: string, text: string): InvalidTargetError {
  const remedy =
    isPlain(rest) && parseIpv6(splitZone(rest).address)
      ? `put brackets around the IPv6 address and add the port: [${rest}]:80`
      : 'put brackets around an IPv6 address: [::1]:80'
  return new InvalidTargetError(text, forms, remedy)
}

function parseBracketed(rest: string, text: string): ParsedTarget {
  const end = rest.indexOf(']:')
  if (end < 0) throw new InvalidTargetError(text, '[IPv6 address]:port', 'write it like [::1]:80')
  return parseZoned(rest.slice(1, end), parsePort(rest.slice(end + 2), text), text)
}

function parseZoned(host: string, port: number, given: Target): ParsedTarget {
  const { address, scopeId, zone } = splitZone(host)
  const bytes = parseIpv6(address)
  if (!bytes) throw new InvalidTargetError(given, 'an IPv6 address between the brackets', 'write it like [::1]:80')
  if (zone !== undefined && !/^[^\s/%]{1,15}$/.test(zone)) {
    throw new InvalidTargetError(given, "an interface's name or number after %", 'write it like [fe80::1%eth0]:80')
  }
  const endpoint: Endpoint = { family: 'inet6', address: formatIpv6(bytes), port }
  if (scopeId) endpoint.scopeId = scopeId
  return zone === undefined ? { kind: 'endpoint', endpoint } : { kind: 'endpoint', endpoint, zone }
}

function parseObject(target: { host: string; port: number }): ParsedTarget {
  const { host } = target
  const port = requirePort(target.port, target)
  if (host.startsWith('[') && host.endsWith(']')) return parseZoned(host.slice(1, -1), port, target)
  return host.includes(':') ? parseZoned(host, port, target) : parseHost(host, port, target)
}

function parseHost(host: string, port: number, given: Target): ParsedTarget {
  if (parseIpv4(host)) return { kind: 'endpoint', endpoint: { family: 'inet', address: host, port } }
  if (host !== '' && isDigitsAndDots(host)) {
    throw new InvalidTargetError(given, 'four numbers from 0 to 255 without leading zeros', 'correct the IPv4 address')
  }
  const hostname = parseHostname(host)
  if (hostname === undefined) {
    throw new InvalidTargetError(given, `${forms}, a host in letters, digits, '-', '_' and '.'`, 'correct the host')
  }
  return { kind: 'name', hostname, port }
}

/** A port as written, 1 to 65535 in plain decimals. */
export function parsePort(text: string, given: Target): number {
  return requirePort(/^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN, given)
}

function requirePort(port: number, given: Target): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new InvalidTargetError(given, 'a port from 1 to 65535', 'correct the port')
}

function parsePath(written: string, given: Target): ParsedTarget {
  const abstract = written.startsWith('@') || written.startsWith('\0')
  const path = abstract ? `\0${written.slice(1)}` : written
  if (path.length <= (abstract ? 1 : 0)) throw new InvalidTargetError(given, forms, 'add the path')
  if (!abstract && path.includes('\0')) throw new InvalidTargetError(given, 'a path without NUL', 'correct the path')
  const most = abstract ? pathBytesAtMost : pathBytesAtMost - 1
  const { length } = encoder.encode(path)
  if (length > most) {
    const expected = abstract ? `an abstract name of at most ${most - 1} bytes` : `a path of at most ${most} bytes`
    throw new InvalidTargetError(given, expected, `use a shorter one: this has ${length - (abstract ? 1 : 0)}`)
  }
  return { kind: 'endpoint', endpoint: { family: 'unix', path } }
}

/** A target as a string that reads back as the same target. Never throws: what is no target is shown as it is. */
export function formatTarget(target: Target): string {
  if (typeof target === 'string') return target
  try {
    if ('path' in target) return formatPath(String(target.path))
    if (!('host' in target)) return toText(target)
    const host = String(target.host)
    return host.includes(':') && !host.startsWith('[') ? `[${host}]:${target.port}` : `${host}:${target.port}`
  } catch {
    return toText(target)
  }
}
