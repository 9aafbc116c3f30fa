/** Ranges of targets, written in one word, one after the other: never as a list. */

import { InvalidTargetError } from './invalid-target.js'
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip.js'
import { parsePort, parseTarget } from './target.js'

/** All of a /8 on one port: more in one word is a slip of the pen. */
export const targetsPerRange = 16_777_216

interface AddressRange {
  first: Uint8Array
  count: bigint
}

interface PortRange {
  first: number
  last: number
}

/**
 * The targets that one word stands for: `10.0.0.0/28:80,443`, `127.0.0.1-127.0.0.9:80`, `[2001:db8::/126]:80`,
 * `host:8000-8010`. A network is every address in it, the first and the last included (they are hosts as good as any on
 * loopback and point-to-point links), whichever address of it is written. Addresses go up, and each has its ports in
 * the order written. What is no range comes back as written; `tcp://` stays.
 * @throws InvalidTargetError at the first `next()`: unreadable, or more than 16,777,216 targets.
 */
export function* expandTargets(text: string): Generator<string, void, undefined> {
  const scheme = text.startsWith('tcp://') ? 'tcp://' : ''
  const { hosts, ports: portText, bracketed } = split(text.slice(scheme.length))
  const single = text.startsWith('unix:') || hosts.includes('://')
  const addresses = single ? undefined : parseAddresses(hosts, bracketed, text)
  if (single || (!addresses && !/[,-]/.test(portText))) {
    parseTarget(text)
    yield text
    return
  }
  const ports = portText.split(',').map((part) => parsePorts(part, text))
  const portCount = ports.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  if ((addresses?.count ?? 1n) * BigInt(portCount) > targetsPerRange) {
    throw new InvalidTargetError(text, 'at most 16,777,216 targets in one range', 'write smaller ranges')
  }
  if (addresses) yield* eachAddress(scheme, addresses, ports)
  else {
    const host = `${scheme}${bracketed ? `[${hosts}]` : hosts}`
    parseTarget(`${host}:${ports[0]!.first}`)
    yield* eachPort(host, ports)
  }
}

/** The words of one line of a list, each a target or a range, up to a `#` that starts the line or follows white space. */
export function wordsOfLine(line: string): string[] {
  const words = line.split(/\s+/).filter((word) => word !== '')
  const comment = words.findIndex((word) => word.startsWith('#'))
  return comment < 0 ? words : words.slice(0, comment)
}

function split(written: string): { hosts: string; ports: string; bracketed: boolean } {
  const bracketed = written.startsWith('[')
  const end = bracketed ? written.indexOf(']:') : written.lastIndexOf(':')
  if (end < 0) return { hosts: '', ports: '', bracketed }
  return { hosts: written.slice(bracketed ? 1 : 0, end), ports: written.slice(end + (bracketed ? 2 : 1)), bracketed }
}

/** Undefined where the hosts are one host: hostnames have hyphens too, but no two IPv4 addresses around one. */
function parseAddresses(hosts: string, bracketed: boolean, text: string): AddressRange | undefined {
  const parse = bracketed ? parseIpv6 : parseIpv4
  if (!bracketed && hosts.includes(':')) return undefined
  const slash = /^([^/]+)\/(\d{1,3})$/.exec(hosts)
  if (slash) {
    const address = parse(slash[1]!)
    const bits = address ? address.length * 8 - Number(slash[2]) : -1
    if (address && bits >= 0) return networkOf(address, BigInt(bits))
  } else if (!hosts.includes('/')) {
    const ends = (bracketed ? /^([^-%]+)-([^-]+)$/ : /^(\d+\.[\d.]*)-([\d.]+)$/).exec(hosts)
    if (!ends) return undefined
    const [first, last] = [parse(ends[1]!), parse(ends[2]!)]
    const count = first && last ? numberOf(last) - numberOf(first) + 1n : 0n
    if (first && count > 0n) return { first, count }
  }
  const expected = bracketed
    ? 'a range like [::1-::9]:80 or [::/126]:80'
    : 'a range like 10.0.0.1-10.0.0.9:80 or 10.0.0.0/28:80'
  throw new InvalidTargetError(text, expected, 'write both addresses in full, the lower first, or a prefix length')
}

function networkOf(address: Uint8Array, bits: bigint): AddressRange {
  const number = (numberOf(address) >> bits) << bits
  return { first: bytesOf(number, address.length), count: 1n << bits }
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
}

function bytesOf(number: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((number >> BigInt(8 * (length - 1 - i))) & 255n))
}

function parsePorts(part: string, text: string): PortRange {
  const [first, last, ...more] = part.split('-').map((port) => parsePort(port, text))
  const range = { first: first!, last: last ?? first! }
  if (more.length === 0 && range.first <= range.last) return range
  throw new InvalidTargetError(text, 'ports like 80,443 or 8000-8010', 'write the lower port first')
}

function* eachAddress(
  scheme: string,
  { first, count }: AddressRange,
  ports: readonly PortRange[],
): Generator<string, void, undefined> {
  const address = first.slice()
  for (let left = Number(count); left > 0; left -= 1) {
    yield* eachPort(`${scheme}${address.length === 4 ? formatIpv4(address) : `[${formatIpv6(address)}]`}`, ports)
    for (let i = address.length - 1; i >= 0; i -= 1) {
      address[i]! += 1
      if (address[i] !== 0) break
    }
  }
}

function* eachPort(host: string, ports: readonly PortRange[]): Generator<string, void, undefined> {
  for (const { first, last } of ports) for (let port = first; port <= last; port += 1) yield `${host}:${port}`
}
