/** Ranges of targets, written in one word, one after the other: never as a list. */

import { isNumeric } from './hostname.js'
import { InvalidTargetError, show } from './invalid-target.js'
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip.js'
import * as limits from './limits.js'
import { type ParsedTarget, parseTarget, portOf, ReadTarget } from './target.js'
import { faultInText, tooLong } from './target-fault.js'

/** All of a /8 on one port: more in one word is a slip of the pen. */
export const targetsPerRange = 16_777_216

/**
 * The targets that one word stands for, as `check()` takes them: `10.0.0.0/28:80,443`, `127.0.0.1-127.0.0.9:80`,
 * `[2001:db8::/126]:80`, `host:8000-8010`, and octets as nmap has them: `10.0.0-3.1,2,9:80`, where `*` or `-` is 0 to
 * 255, `-9` is 0 to 9 and `250-` is 250 to 255. A network is every address in it, the first and the last included (they
 * are hosts as good as any on loopback and point-to-point links), whichever address of it is written. Addresses go up,
 * each one once, and each has its ports in the order written. What is no range comes back as written; `tcp://` stays.
 * Targets are made one at a time, as they are asked for.
 * @throws InvalidTargetError (`ERR_INVALID_TARGET`) at the first `next()`: unreadable, or more than 16,777,216 targets.
 */
export function* expandTargets(text: string): Generator<string, void, undefined> {
  for (const { text: target } of readTargets(text)) yield target
}

/** The same, each with what it says, so that nobody has to read it again. */
export function* readTargets(text: string): Generator<ReadTarget, void, undefined> {
  if (typeof text !== 'string') throw new TypeError(`text is ${show(text)}: expected a string such as '10.0.0.0/28:80'`)
  if (text.length > limits.rangeLengthAtMost) throw tooLong(text, text.length, limits.rangeLengthAtMost)
  const range = rangeIn(text)
  if (!range) {
    yield new ReadTarget(text, parseTarget(text))
    return
  }
  const { addresses, host, ports } = range
  const perAddress = ports.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  if ((addresses?.count ?? 1) * perAddress > targetsPerRange) {
    throw new InvalidTargetError(text, 'expected at most 16,777,216 targets in one range', 'write smaller ranges')
  }
  if (!addresses) yield* eachPort(host, parseTarget(`${host}:${ports[0]!.first}`), ports)
  else {
    const scheme = text.startsWith('tcp://') ? 'tcp://' : ''
    for (const address of addresses.each()) yield* eachPort(...hostOf(address, scheme), ports)
  }
}

/** The words of one line of a list, each a target or a range, up to a `#` that starts the line or follows white space. */
export function wordsOfLine(line: string): string[] {
  const words = line.split(/\s+/).filter((word) => word !== '')
  const comment = words.findIndex((word) => word.startsWith('#'))
  return comment < 0 ? words : words.slice(0, comment)
}

interface Range {
  /** As written, `tcp://` included: the one host, where there are no `addresses`. */
  host: string
  addresses?: Addresses | undefined
  ports: readonly PortRange[]
}

interface PortRange {
  first: number
  last: number
}

/** A count beyond 2 ** 53 is rounded, and far too many. */
interface Addresses {
  count: number
  each(): Iterable<Uint8Array>
}

/** Undefined where one target is written, readable or not. */
function rangeIn(text: string): Range | undefined {
  if (text.startsWith('unix:')) return undefined
  const start = text.startsWith('tcp://') ? 6 : 0
  const bracketed = text.startsWith('[', start)
  const end = bracketed ? text.indexOf(']:', start) : text.lastIndexOf(':')
  if (end < start) return undefined
  const hosts = text.slice(bracketed ? start + 1 : start, end)
  const portText = text.slice(end + (bracketed ? 2 : 1))
  if (hosts.length > limits.targetLengthAtMost) throw tooLong(text, hosts.length)
  const hasPorts = portText.includes('-') || portText.includes(',')
  const hasHosts = isRange(hosts, bracketed)
  if (!hasPorts && !hasHosts) return undefined
  const ports = portText.split(',').map(portRange)
  const addresses = hasHosts ? (bracketed ? ipv6Range(hosts) : ipv4Range(hosts)) : undefined
  if ((hasHosts && !addresses) || !ports.every((range) => range !== undefined)) throw faultInText(text, true)
  return { host: text.slice(0, bracketed ? end + 1 : end), addresses, ports: ports as PortRange[] }
}

/** Hostnames have hyphens too, but they are not of numbers alone. No zone of a range is read, and a zone may have hyphens. */
function isRange(hosts: string, bracketed: boolean): boolean {
  if (bracketed) return hosts.includes('/') || /^[^%]*-/.test(hosts)
  if (hosts.includes(':')) return false
  return /\/\d+$/.test(hosts) || (isNumeric(hosts) && /[-,*]/.test(hosts))
}

function portRange(part: string): PortRange | undefined {
  const hyphen = part.indexOf('-')
  const first = portOf(hyphen < 0 ? part : part.slice(0, hyphen))
  const last = hyphen < 0 ? first : portOf(part.slice(hyphen + 1))
  return first > 0 && first <= last ? { first, last } : undefined
}

function ipv6Range(hosts: string): Addresses | undefined {
  return hosts.includes('/') ? network(hosts, parseIpv6) : between(hosts, parseIpv6)
}

function ipv4Range(hosts: string): Addresses | undefined {
  if (hosts.includes('/')) return network(hosts, parseIpv4)
  const parts = hosts.split('.')
  return parts.length === 4 ? octets(parts) : between(hosts, parseIpv4)
}

type Parse = (text: string) => Uint8Array | undefined

/** `10.0.0.0/28`: an address of the network, and how many bits all of it share. */
function network(hosts: string, parse: Parse): Addresses | undefined {
  const [, written, prefix] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(hosts) ?? []
  const address = written === undefined ? undefined : parse(written)
  const bits = address ? address.length * 8 - Number(prefix) : -1
  if (!address || bits < 0) return undefined
  const number = (numberOf(address) >> BigInt(bits)) << BigInt(bits)
  return upFrom(bytesOf(number, address.length), 2 ** bits)
}

/** `10.0.0.1-10.0.0.9`: both ends in full. */
function between(hosts: string, parse: Parse): Addresses | undefined {
  const [from, to, ...more] = hosts.split('-')
  const first = parse(from!)
  const last = to === undefined || more.length > 0 ? undefined : parse(to)
  const count = first && last ? numberOf(last) - numberOf(first) + 1n : 0n
  return first && count > 0n ? upFrom(first, Number(count)) : undefined
}

function upFrom(first: Uint8Array, count: number): Addresses {
  return {
    count,
    *each() {
      const address = first.slice()
      for (let left = count; left > 0; left -= 1) {
        yield address
        for (let i = address.length - 1; i >= 0; i -= 1) {
          address[i]! += 1
          if (address[i] !== 0) break
        }
      }
    },
  }
}

/** nmap's: each octet a list of numbers and ranges. */
function octets(parts: readonly string[]): Addresses | undefined {
  const choices = parts.map(octetChoices)
  if (!choices.every((choice) => choice !== undefined)) return undefined
  const [as, bs, cs, ds] = choices as [number[], number[], number[], number[]]
  return {
    count: as.length * bs.length * cs.length * ds.length,
    *each() {
      for (const a of as) for (const b of bs) for (const c of cs) for (const d of ds) yield Uint8Array.of(a, b, c, d)
    },
  }
}

/** In ascending order, each once. */
function octetChoices(text: string): number[] | undefined {
  const chosen = new Uint8Array(256)
  for (const part of text.split(',')) {
    const [from, to = from, ...more] = part === '*' ? ['', ''] : part.split('-')
    const first = from === '' && part !== '' ? 0 : octet(from!)
    const last = to === '' && part !== '' ? 255 : octet(to!)
    if (more.length > 0 || !(first <= last)) return undefined
    chosen.fill(1, first, last + 1)
  }
  return Array.from(chosen.keys()).filter((number) => chosen[number] === 1)
}

/** NaN for what is no number from 0 to 255 without leading zeros. */
const octet = (text: string): number =>
  /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) < 256 ? Number(text) : Number.NaN

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
}

function bytesOf(number: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((number >> BigInt(8 * (length - 1 - i))) & 255n))
}

/** An address as a host is written, and as a target that its ports are put into. */
function hostOf(address: Uint8Array, scheme: string): [host: string, parsed: ParsedTarget] {
  const isIpv4 = address.length === 4
  const text = isIpv4 ? formatIpv4(address) : formatIpv6(address)
  const endpoint = { family: isIpv4 ? 'inet' : 'inet6', address: text, port: 0 } as const
  return [`${scheme}${isIpv4 ? text : `[${text}]`}`, { kind: 'endpoint', endpoint }]
}

function* eachPort(
  host: string,
  parsed: ParsedTarget,
  ports: readonly PortRange[],
): Generator<ReadTarget, void, undefined> {
  for (const { first, last } of ports) {
    for (let port = first; port <= last; port += 1) yield new ReadTarget(`${host}:${port}`, withPort(parsed, port))
  }
}

function withPort(parsed: ParsedTarget, port: number): ParsedTarget {
  if (parsed.kind === 'name') return { ...parsed, port }
  return { ...parsed, endpoint: { ...parsed.endpoint, port } as typeof parsed.endpoint }
}
