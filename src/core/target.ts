/** Targets as people write them, and the endpoints they name. Pure: names are not resolved, interfaces not looked up. */

import { bracketed, type Endpoint, formatEndpoint, formatPath } from './endpoint.js'
import { parseHostname } from './hostname.js'
import { InvalidTargetError, show, toText } from './invalid-target.js'
import { formatIpv6, parseIpv4, parseIpv6 } from './ip.js'
import * as limits from './limits.js'
import { hasLoneSurrogate, pathBytesAtMost } from './sockaddr.js'
import { faultInHost, faultInObject, faultInPort, faultInText, forms, tooLong } from './target-fault.js'

/**
 * What a person writes. Strings: `host:port`, `tcp://host:port`, `1.2.3.4:80`, `[::1]:80`, `[fe80::1%eth0]:80`,
 * `unix:/path`, `unix:@abstract`. A path that starts with `@` or NUL is in Linux's abstract namespace. An object has
 * `host` and `port`, or `path`, and nothing else.
 */
export type Target = string | { host: string; port: number } | { path: string }

/**
 * A target that was read: an endpoint, or a name that has to be looked up first. `zone`: an interface's name or index, to be
 * turned into a scope id where interfaces can be looked up. `hostname` beside an endpoint: the name that it is an address of.
 */
export type ParsedTarget = NumericTarget | NamedTarget
export type NumericTarget = { kind: 'endpoint'; endpoint: Endpoint; zone?: string; hostname?: string }
export type NamedTarget = { kind: 'name'; hostname: string; port: number }

/** A target together with what it says, so that it is read once. */
export class ReadTarget {
  readonly #read = true
  /** A string that reads back as the same target; as written, where it was one. */
  readonly text: string
  readonly parsed: ParsedTarget

  constructor(text: string, parsed: ParsedTarget) {
    this.text = text
    this.parsed = parsed
  }

  /** Asks nothing of the object, which may be a caller's Proxy. */
  static is(target: unknown): target is ReadTarget {
    return typeof target === 'object' && target !== null && #read in target
  }
}

const encoder = new TextEncoder()

/**
 * Reads a target. `unix:` is always a path, so a host of that name is written `tcp://unix:80`. A hostname keeps its
 * spelling; one in another script comes back as punycode.
 * @throws InvalidTargetError
 */
export function parseTarget(target: Target): ParsedTarget {
  return typeof target === 'string' ? parseText(target) : readObject(target).parsed
}

/**
 * The same, with the text to show. Each member of an object is read once: what a getter says the second time is not asked.
 * @throws InvalidTargetError
 */
export function readTarget(target: Target | ReadTarget): ReadTarget {
  if (typeof target === 'string') return new ReadTarget(target, parseText(target))
  return ReadTarget.is(target) ? target : readObject(target)
}

/** The main path makes no errors: where the text is no target, `faultInText` says what is wrong. */
function parseText(text: string): ParsedTarget {
  if (text.length > limits.targetLengthAtMost) throw tooLong(text, text.length)
  if (text.startsWith('unix:')) return parsePath(text.slice(5), text)
  const start = text.startsWith('tcp://') ? 6 : 0
  const bracket = text.startsWith('[', start)
  const end = bracket ? text.indexOf(']:', start) : text.lastIndexOf(':')
  const host = end < start ? '' : text.slice(bracket ? start + 1 : start, end)
  const port = end < start ? 0 : portOf(text.slice(end + (bracket ? 2 : 1)))
  const parsed = port === 0 ? undefined : bracket ? parseZoned(host, port, true) : parseHost(host, port)
  if (!parsed) throw faultInText(text)
  return parsed
}

function readObject(target: Target): ReadTarget {
  const { host, port, path } = membersOf(target)
  if (path !== undefined) return new ReadTarget(formatPath(path), parsePath(path, target))
  if (host.length > limits.targetLengthAtMost) throw tooLong(target, host.length)
  if (!isPort(port)) throw faultInPort(port, target)
  const bracket = host.startsWith('[') && host.endsWith(']')
  const inet6 = bracket || host.includes(':')
  const parsed = inet6 ? parseZoned(bracket ? host.slice(1, -1) : host, port, bracket) : parseHost(host, port)
  if (!parsed) throw faultInHost(host, port, target)
  return new ReadTarget(textOf(host, port), parsed)
}

type Members = { host: string; port: unknown; path?: undefined } | { path: string; host?: undefined; port?: undefined }

/** What an object is made of, by its kinds alone. A caller's getter or Proxy may throw anything. */
function membersOf(target: unknown): Members {
  let members: { host?: unknown; port?: unknown; path?: unknown } = {}
  let fault: InvalidTargetError | undefined
  try {
    const { host, port, path } = Object(target) as Record<string, unknown>
    members = { host, port, path }
    fault = faultInObject(target, members, typeof target === 'object' && target !== null ? Object.keys(target) : [])
  } catch (cause) {
    fault = new InvalidTargetError(target, `reading it threw ${show(cause)}: expected ${forms}`, 'give a plain object')
    fault.cause = cause
  }
  if (fault) throw fault
  return members as Members
}

/** `uriForm`: between brackets, where RFC 6874 writes `%` as `%25`. */
function parseZoned(host: string, port: number, uriForm: boolean): ParsedTarget | undefined {
  const percent = host.indexOf('%')
  const bytes = parseIpv6(percent < 0 ? host : host.slice(0, percent))
  if (!bytes) return undefined
  const endpoint: Endpoint = { family: 'inet6', address: formatIpv6(bytes), port }
  if (percent < 0) return { kind: 'endpoint', endpoint }
  const written = host.slice(percent + 1)
  const zone = uriForm && written.startsWith('25') && written.length > 2 ? written.slice(2) : written
  if (!isZone(zone)) return undefined
  return zone === '0' ? { kind: 'endpoint', endpoint } : { kind: 'endpoint', endpoint, zone }
}

/** The name of an interface, which is at most 15 bytes without `/` or white space, or its index. */
const isZone = (zone: string): boolean => /^[^\s/%\p{C}]{1,15}$/u.test(zone)

function parseHost(host: string, port: number): ParsedTarget | undefined {
  if (parseIpv4(host)) return { kind: 'endpoint', endpoint: { family: 'inet', address: host, port } }
  const hostname = parseHostname(host)
  return hostname === undefined ? undefined : { kind: 'name', hostname, port }
}

/** A port as written, 1 to 65535 in plain decimals; 0 for anything else. */
export function portOf(text: string): number {
  const { length } = text
  if (length === 0 || length > 5 || text.charCodeAt(0) === 48) return 0
  let port = 0
  for (let i = 0; i < length; i += 1) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return 0
    port = port * 10 + digit
  }
  return port <= 65_535 ? port : 0
}

const isPort = (port: unknown): port is number => Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535

function parsePath(written: string, given: Target): ParsedTarget {
  const abstract = written.startsWith('@') || written.startsWith('\0')
  const path = abstract ? `\0${written.slice(1)}` : written
  if (path.length <= (abstract ? 1 : 0)) {
    throw new InvalidTargetError(given, 'its path is empty: expected unix:/path or unix:@name', 'add the path')
  }
  const most = abstract ? pathBytesAtMost : pathBytesAtMost - 1
  // Before it is encoded: a character is a byte at least.
  const length = path.length > most ? path.length : encoder.encode(path).length
  if (length > most) {
    const [what, mark] = abstract ? ['an abstract name', 1] : ['a path', 0]
    const expected = `expected ${what} of at most ${most - mark} bytes`
    throw new InvalidTargetError(given, expected, `use a shorter one: this has ${length - mark}`)
  }
  if (!abstract && path.includes('\0')) {
    throw new InvalidTargetError(given, 'expected a path without NUL', 'correct the path')
  }
  if (hasLoneSurrogate(path)) {
    throw new InvalidTargetError(given, 'it has half of a surrogate pair: expected a path', 'correct the path')
  }
  return { kind: 'endpoint', endpoint: { family: 'unix', path } }
}

/** A parsed target as a string that reads back as the same target. */
export function formatParsed(target: ParsedTarget): string {
  if (target.kind === 'name') return textOf(target.hostname, target.port)
  const { endpoint, zone } = target
  return endpoint.family === 'inet6' && zone !== undefined
    ? `${bracketed(endpoint.address, zone)}:${endpoint.port}`
    : formatEndpoint(endpoint)
}

/** A target as a string that reads back as the same target. Never throws: what is no target is shown as it is. */
export function formatTarget(target: Target): string {
  if (typeof target === 'string') return target
  try {
    const { host, port, path } = target as { host?: unknown; port?: unknown; path?: unknown }
    if (path !== undefined) return formatPath(String(path))
    return host === undefined ? toText(target) : textOf(String(host), port as number)
  } catch {
    return toText(target)
  }
}

function textOf(host: string, port: number): string {
  if (host === 'unix') return `tcp://unix:${port}`
  if (host.startsWith('[') || !host.includes(':')) return `${host}:${port}`
  const [address, zone] = splitOnce(host, '%')
  return `${bracketed(address, zone)}:${port}`
}

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
