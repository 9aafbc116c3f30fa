/**
 * What is wrong with a text or an object that is no target, and what to write instead. Beside the main path: it may look
 * at its input as often as it likes, which is bounded by `targetLengthAtMost`.
 */
import { isNumeric } from './hostname.js'
import { InvalidTargetError, show } from './invalid-target.js'
import { parseIpv4, parseIpv6, splitZone } from './ip.js'
import * as limits from './limits.js'
import { nearest } from './nearest.js'
import { portNamed } from './services.js'
import { printable } from './text.js'

export const forms = 'host:port, [IPv6 address]:port, unix:/path or unix:@name'

interface Fault {
  wrong: string
  remedy: string
}

export function tooLong(given: unknown, length: number, most = limits.targetLengthAtMost): InvalidTargetError {
  return new InvalidTargetError(given, `it has ${length} characters: expected at most ${most}`, 'correct it')
}

/** `ranges`: where a range may stand, so that its parts are looked at too. */
export function faultInText(text: string, ranges = false): InvalidTargetError {
  const { wrong, remedy } = ofText(text, ranges)
  return new InvalidTargetError(text, wrong, remedy)
}

export function faultInHost(host: string, port: number, given: unknown): InvalidTargetError {
  const { wrong, remedy } = ofSpacing(host, '') ?? ofHostMember(host, port)
  return new InvalidTargetError(given, wrong, remedy)
}

export function faultInPort(port: unknown, given: unknown): InvalidTargetError {
  const { wrong, remedy } = ofPortMember(port)
  return new InvalidTargetError(given, wrong, remedy)
}

/** `names`: the object's own. Undefined where its members are of the right kinds. */
export function faultInObject(
  target: unknown,
  { host, port, path }: { host?: unknown; port?: unknown; path?: unknown },
  names: readonly string[],
): InvalidTargetError | undefined {
  const fault = (wrong: string, remedy: string) => new InvalidTargetError(target, wrong, remedy)
  if (target instanceof URL) return fault(`it is a URL object: expected ${forms}`, ofUrl(target.href).remedy)
  const unknown = names.find((name) => !members.includes(name))
  if (unknown !== undefined) {
    const foreign = Object.hasOwn(foreignMembers, unknown) ? foreignMembers[unknown] : undefined
    const near = nearest(unknown, members)
    const remedy = foreign ? `here it is ${foreign}` : near ? `did you mean ${near}?` : 'leave it out'
    return fault(`it has a member ${show(unknown)}: expected { host, port } or { path } and nothing else`, remedy)
  }
  if (path !== undefined && (host !== undefined || port !== undefined)) {
    return fault('it is ambiguous: expected { host, port } or { path }, not both', 'leave one of them out')
  }
  if (typeof path === 'string' || typeof host === 'string') return undefined
  if (path !== undefined) return fault(`its path is ${show(path)}: expected a string`, 'give it as a string')
  if (host !== undefined) return fault(`its host is ${show(host)}: expected a string`, 'give it as a string')
  return fault(`expected ${forms}, { host, port } or { path }`, 'give one of these')
}

const members = ['host', 'port', 'path']

/** As Node's address(), its URLs and its clients call them. */
const foreignMembers: Readonly<Record<string, string>> = {
  address: 'host',
  hostname: 'host',
  ip: 'host',
  socketPath: 'path',
}

function ofText(text: string, ranges: boolean): Fault {
  if (text === '') return { wrong: `it is empty: expected ${forms}`, remedy: `write it like ${example}` }
  const early = ofSpacing(text, example) ?? ofScheme(text) ?? ofUnix(text)
  if (early) return early
  const rest = withoutTcp(text)
  if (rest.startsWith('[')) return ofBracketed(rest, ranges)
  const { host, port } = splitPort(rest)
  if (isList(host, port)) return ofList(rest)
  if (port === undefined) return ofMissingPort(host)
  if (host.includes('@')) return ofUserinfo(host, port)
  if (host.includes(':')) return ofColons(rest)
  return ofPort(port, host, ranges) ?? ofHost(host, port, ranges)
}

/** What stands in messages where the input gives nothing fit to be repeated. */
const example = 'localhost:80'

/** `text` where it can be shown as what to write, `instead` otherwise. */
function suggestion(text: string, instead = example): string {
  return /^[\w.:%[\]/*,-]{1,80}$/.test(text) ? text : instead
}

const withoutTcp = (text: string): string => (text.startsWith('tcp://') ? text.slice(6) : text)

function splitPort(text: string): { host: string; port: string | undefined } {
  const colon = text.lastIndexOf(':')
  return colon < 0 ? { host: text, port: undefined } : { host: text.slice(0, colon), port: text.slice(colon + 1) }
}

/** White space, and characters that cannot be seen. */
function ofSpacing(text: string, instead: string): Fault | undefined {
  const trimmed = text.trim()
  const write = suggestion(trimmed, instead)
  if (trimmed !== text && !/\s/.test(trimmed)) {
    return { wrong: `white space stands around it: expected none`, remedy: write ? `write ${write}` : 'leave it out' }
  }
  if (/\s/.test(text)) {
    return { wrong: 'it has white space: expected one target', remedy: 'leave it out, or write each target by itself' }
  }
  const unseen = [...text].find((character) => printable(character) !== character)
  if (unseen === undefined) return undefined
  return { wrong: `it has ${printable(unseen)}: expected characters that can be seen`, remedy: 'leave it out' }
}

function ofScheme(text: string): Fault | undefined {
  const at = text.indexOf('://')
  if (at < 0) return undefined
  const path = text.slice(at + 3).search(/[/?#]/)
  if (text.startsWith('tcp://') && path < 0) return undefined
  return ofUrl(text)
}

/** A URL: its host and port are what is left. */
function ofUrl(url: string): Fault {
  const at = url.indexOf('://')
  const scheme = url.slice(0, at).toLowerCase()
  const authority = at < 0 ? '' : url.slice(at + 3).split(/[/?#]/, 1)[0]!
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const [, name = host, port] = /^(.*?)(?::([^:\]]*))?$/.exec(host) ?? []
  const number = /^\d+$/.test(port ?? '') ? port : (portNamed(scheme) ?? 80)
  const write = name === '' ? example : suggestion(`${name}:${number}`)
  if (scheme === 'tcp') {
    return { wrong: `a slash or a path follows its port: expected ${forms}`, remedy: `write tcp://${write}` }
  }
  const remedy = `leave out what stands before '://' and after the port, and write ${write}`
  return { wrong: `it is a URL: expected ${forms}`, remedy }
}

function ofUnix(text: string): Fault | undefined {
  if (!/^unix:/i.test(text)) return undefined
  return { wrong: `expected unix: in lower case`, remedy: `write ${suggestion(`unix:${text.slice(5)}`, 'unix:/path')}` }
}

function ofBracketed(rest: string, ranges: boolean): Fault {
  const end = rest.indexOf(']')
  if (end < 0) return { wrong: 'its bracket is not closed: expected [IPv6 address]:port', remedy: likeIpv6 }
  const inside = rest.slice(1, end)
  const after = rest.slice(end + 1)
  if (after === '') {
    const write = ofInside(inside, '80') ? '[::1]:80' : suggestion(`${rest}:80`, '[::1]:80')
    return { wrong: 'its port is missing: expected [IPv6 address]:port', remedy: `add the port, like ${write}` }
  }
  if (!after.startsWith(':')) return { wrong: 'expected [IPv6 address]:port', remedy: likeIpv6 }
  const port = after.slice(1)
  if (/^[\da-f:.]+[-/]/i.test(inside)) return (ranges && ofPort(port, `[${inside}]`, true)) || ofRange(ranges)
  return ofPort(port, `[${inside}]`, ranges) ?? ofInside(inside, port) ?? ofRange(ranges)
}

const likeIpv6 = 'write it like [::1]:80'

/** What stands between brackets. */
function ofInside(inside: string, port: string): Fault | undefined {
  const { address, zone } = splitZone(inside)
  if (parseIpv6(address)) {
    if (!inside.includes('%') || (zone === undefined && !inside.endsWith('%'))) return undefined
    const wrong = "its zone is none: expected an interface's name or number after %"
    return { wrong, remedy: 'write it like [fe80::1%eth0]:80' }
  }
  const wrong = 'expected an IPv6 address between the brackets'
  if (inside.includes(':') || inside === '') return { wrong, remedy: likeIpv6 }
  return { wrong, remedy: `brackets are for IPv6 alone: write ${suggestion(`${inside}:${port}`)}` }
}

/** Commas are for ports, and for the numbers of an IPv4 range. */
function isList(host: string, port: string | undefined): boolean {
  if (host.includes(',')) return !isNumeric(host) || port === undefined || host.split('.').length > 4
  return port?.includes(',') === true && /[a-z.:]/i.test(port)
}

function ofList(rest: string): Fault {
  const parts = rest.split(',')
  const port = parts.map((part) => /:\d+$/.exec(part)?.[0]).find((found) => found !== undefined) ?? ':80'
  const each = parts.slice(0, 3).map((part) => (/:\d+$/.test(part) ? part : `${part}${port}`))
  const remedy = `write each by itself: ${suggestion(each.join(','), 'a:80,b:80').replaceAll(',', ' ')}`
  return { wrong: 'it is a list with commas: expected one target', remedy }
}

function ofMissingPort(host: string): Fault {
  const wrong = `its port is missing: expected ${forms}`
  const alone = /^[^/]+\/\d+$/.test(host) ? host : host.split(/[/?#]/, 1)[0]!
  return { wrong, remedy: `add the port: ${alone === '' ? example : `${suggestion(alone, 'localhost')}:80`}` }
}

function ofUserinfo(host: string, port: string): Fault {
  const write = suggestion(`${host.slice(host.lastIndexOf('@') + 1)}:${port}`)
  return {
    wrong: "a user stands before its host: expected a host in letters, digits, '-', '_' and '.'",
    remedy: `write ${write}`,
  }
}

function ofColons(rest: string): Fault {
  const isAddress = parseIpv6(splitZone(rest).address) !== undefined
  const remedy = isAddress
    ? `put brackets around the IPv6 address and add the port: ${suggestion(`[${rest}]:80`, '[::1]:80')}`
    : 'put brackets around an IPv6 address: [::1]:80'
  return { wrong: `it has several colons: expected ${forms}`, remedy }
}

function ofPort(port: string, host: string, ranges: boolean): Fault | undefined {
  const path = port.search(/[/?#]/)
  if (path > 0) {
    const write = suggestion(`${host}:${port.slice(0, path)}`)
    return { wrong: 'a path follows its port: expected a port from 1 to 65535', remedy: `write ${write}` }
  }
  if (/^\d*([-,]\d*)+$/.test(port)) return ranges ? ofPortRange(port, host) : ofRange(false)
  return ofSinglePort(port, host)
}

function ofSinglePort(port: string, host: string): Fault | undefined {
  const expected = 'expected a port from 1 to 65535'
  const at = (number: number | string) => suggestion(`${host}:${number}`)
  if (port === '') return { wrong: `its port is missing: ${expected}`, remedy: `add it: ${at(80)}` }
  if (/^0+$/.test(port)) return { wrong: `no service has port 0: ${expected}`, remedy: 'correct the port' }
  if (/^0\d+$/.test(port)) {
    return { wrong: `its port has leading zeros: ${expected}`, remedy: `write ${at(port.replace(/^0+/, ''))}` }
  }
  if (/^\d+$/.test(port)) {
    if (port.length <= 5 && Number(port) <= 65_535) return undefined
    return { wrong: `its port is above 65535: ${expected}`, remedy: 'correct the port' }
  }
  const number = portNamed(port)
  const remedy = number === undefined ? 'write it as a number' : `write the number of ${port}: ${at(number)}`
  return { wrong: `its port is ${show(port)}: ${expected}`, remedy }
}

/** Ports with commas and hyphens, where these may stand. */
function ofPortRange(ports: string, host: string): Fault | undefined {
  const expected = 'expected a port from 1 to 65535, or ports like 80,443 or 8000-8010'
  for (const part of ports.split(',')) {
    const [first = '', last, ...more] = part.split('-')
    const write = suggestion(`${host}:${first || 1}-${last || 65_535}`)
    if (more.length > 0)
      return {
        wrong: `${show(part)} has several hyphens: ${expected}`,
        remedy: 'write the lower port first, and then the last',
      }
    if (last !== undefined && (first === '' || last === '') && part !== '-') {
      return { wrong: `its range of ports is open: ${expected}`, remedy: `write both ends: ${write}` }
    }
    if (part === '' || part === '-')
      return {
        wrong: `a port is missing between its commas or hyphens: ${expected}`,
        remedy: 'add it or leave the mark out',
      }
    const fault = ofSinglePort(first, host) ?? (last === undefined ? undefined : ofSinglePort(last, host))
    if (fault) return { wrong: fault.wrong, remedy: 'correct the port' }
    if (last !== undefined && Number(first) > Number(last)) {
      return { wrong: `${show(part)} goes down: ${expected}`, remedy: 'write the lower port first' }
    }
  }
  return undefined
}

/** A range where one target has to stand; where ranges may stand it is one that cannot be read. */
function ofRange(ranges: boolean): Fault {
  if (!ranges) {
    const remedy = 'name one, or have expandTargets() of cancelpoint make targets of the range'
    return { wrong: 'it is a range: expected one target', remedy }
  }
  return {
    wrong: `expected a range like 10.0.0.1-9:80, 10.0.0-3.*:80, 10.0.0.1-10.0.0.9:80, 10.0.0.0/28:80 or [::1-::9]:80`,
    remedy:
      'write numbers from 0 to 255 without leading zeros, or both addresses in full, the lower first, or a prefix length',
  }
}

function ofHost(host: string, port: string | number, ranges: boolean): Fault {
  const letters = "expected a host in letters, digits, '-', '_' and '.'"
  if (host === '')
    return { wrong: `its host is missing: ${letters}`, remedy: `write it: localhost:${suggestion(String(port), '80')}` }
  if (/[/?#]/.test(host)) return ofSlash(host, port, ranges)
  if (isNumeric(host)) return ofNumbers(host, port, ranges)
  const hostname = host.endsWith('.') ? host.slice(0, -1) : host
  const labels = hostname.split('.')
  if (labels.includes(''))
    return { wrong: `it has dots with nothing between them: ${letters}`, remedy: 'correct the host' }
  const odd = /[^\w.-]/.exec(host)?.[0]
  if (odd === undefined || odd > '\x7f') {
    if (labels.some((label) => label.length > 63))
      return { wrong: `a part of its host has more than 63 characters: ${letters}`, remedy: 'correct the host' }
    if (hostname.length > 253)
      return { wrong: `its host has more than 253 characters: ${letters}`, remedy: 'correct the host' }
    return { wrong: `its host has no form in DNS: ${letters}`, remedy: 'correct the host' }
  }
  return { wrong: `its host has ${show(odd)}: ${letters}`, remedy: 'correct the host' }
}

function ofSlash(host: string, port: string | number, ranges: boolean): Fault {
  const [before, after] = host.split(/[/?#]/, 2) as [string, string]
  if (/^\d+$/.test(after) && (ranges || isNumeric(before))) return ofRange(ranges)
  const letters = "expected a host in letters, digits, '-', '_' and '.'"
  return {
    wrong: `a path stands in its host: ${letters}`,
    remedy: `write ${before === '' ? example : suggestion(`${before}:${port}`)}`,
  }
}

/** Numbers alone that are no address: ranges, other bases, and too few or too many of them. */
function ofNumbers(host: string, port: string | number, ranges: boolean): Fault {
  if (/[-,*]/.test(host)) return ofRange(ranges)
  const wrong = 'it is no IPv4 address: expected four numbers from 0 to 255 without leading zeros'
  const read = readByUrl(host)
  const remedy = read
    ? `where others read ${suggestion(host, 'it')} as ${read}, write ${read}:${port}`
    : 'correct the IPv4 address'
  return { wrong, remedy }
}

/** The address that inet_aton(3), and every URL, makes of it. */
function readByUrl(host: string): string | undefined {
  try {
    const { hostname } = new URL(`http://${host}`)
    return parseIpv4(hostname) ? hostname : undefined
  } catch {
    return undefined
  }
}

/** An object's host stands alone: no port, no scheme. */
function ofHostMember(host: string, port: number): Fault {
  const write = (text: string) => `give the host alone: ${suggestion(text, 'localhost')}`
  if (host.includes('://')) {
    const authority = host.slice(host.indexOf('://') + 3).split(/[/?#:]/, 1)[0]!
    return { wrong: 'its host is a URL: expected a hostname or an address', remedy: write(authority) }
  }
  if (host.startsWith('['))
    return (
      ofInside(host.replace(/^\[|\]$/g, ''), String(port)) ?? {
        wrong: 'its bracket is not closed: expected an IPv6 address between the brackets',
        remedy: likeIpv6,
      }
    )
  const { host: before, port: after } = splitPort(host)
  if (after !== undefined && /^\d*$/.test(after) && !before.includes(':')) {
    return { wrong: 'its host has a port: expected a hostname or an address', remedy: write(before) }
  }
  if (host.includes(':')) return ofInside(host, String(port)) ?? ofColons(host)
  return ofHost(host, port, false)
}

function ofPortMember(port: unknown): Fault {
  const expected = 'expected a port from 1 to 65535 as a number'
  if (port === undefined) return { wrong: `its port is missing: ${expected}`, remedy: 'add it: { host, port: 80 }' }
  if (typeof port === 'string') {
    const number = /^[1-9]\d{0,4}$/.test(port) ? Number(port) : portNamed(port)
    const remedy = number === undefined ? 'give a number' : `write ${number} without quotes`
    return { wrong: `its port is ${show(port)}, a string: ${expected}`, remedy }
  }
  return { wrong: `its port is ${show(port)}: ${expected}`, remedy: 'correct the port' }
}
