/**
 * Which of several addresses to try first: RFC 6724, section 6, given the source address that the kernel would use for
 * each. Rules 3, 4 and 7 are left out, because an address does not tell whether it is deprecated, a home address, or
 * reached through a tunnel.
 */
import { isMapped, parseIpv6, splitZone } from './ip.js'

/** Numeric addresses, a zone allowed. */
export interface Destination {
  readonly address: string
  /** undefined: there is no way to it. */
  readonly source: string | undefined
}

/** The most preferred first; equals as they were given (rule 10). */
export function sortByPreference<T extends Destination>(destinations: readonly T[]): T[] {
  return destinations
    .map((destination) => ({ destination, ranks: ranksOf(destination) }))
    .sort((a, b) => compare(a.ranks, b.ranks))
    .map(({ destination }) => destination)
}

/** One for each rule: the lower is preferred, and only between equals does the next one decide. */
function ranksOf({ address, source }: Destination): readonly number[] {
  const to = bytesOf(address)
  const from = source === undefined ? undefined : bytesOf(source)
  const { precedence, label } = policyOf(to)
  const scope = scopeOf(to)
  return [
    /* 1, avoid unusable destinations */ from ? 0 : 1,
    /* 2, prefer matching scope */ from && scopeOf(from) === scope ? 0 : 1,
    /* 5, prefer matching label */ from && policyOf(from).label === label ? 0 : 1,
    /* 6, prefer higher precedence */ -precedence,
    /* 8, prefer smaller scope */ scope,
    /* 9, use longest matching prefix */ from ? -matchingPrefix(from, to) : 0,
  ]
}

function compare(a: readonly number[], b: readonly number[]): number {
  const rule = a.findIndex((rank, i) => rank !== b[i])
  return rule < 0 ? 0 : a[rule]! - b[rule]!
}

/** Sixteen bytes, an IPv4 address as the mapped one. */
function bytesOf(address: string): Uint8Array {
  const { address: numeric } = splitZone(address)
  return parseIpv6(numeric.includes(':') ? numeric : `::ffff:${numeric}`)!
}

interface Policy {
  readonly prefix: Uint8Array
  readonly length: number
  readonly precedence: number
  readonly label: number
}

/** Section 2.1's default policy table, the longest prefixes first. */
const policies: readonly Policy[] = (
  [
    ['::1', 128, 50, 0],
    ['::ffff:0:0', 96, 35, 4],
    ['::', 96, 1, 3],
    ['2001::', 32, 5, 5],
    ['2002::', 16, 30, 2],
    ['3ffe::', 16, 1, 12],
    ['fec0::', 10, 1, 11],
    ['fc00::', 7, 3, 13],
    ['::', 0, 40, 1],
  ] as const
).map(([prefix, length, precedence, label]) => ({ prefix: bytesOf(prefix), length, precedence, label }))

function policyOf(bytes: Uint8Array): Policy {
  return policies.find(({ prefix, length }) => commonBits(prefix, bytes) >= length)!
}

const scopes = { linkLocal: 0x2, siteLocal: 0x5, global: 0xe } as const
const loopback = bytesOf('::1')
const linkLocal = bytesOf('fe80::')
const siteLocal = bytesOf('fec0::')

/** Sections 3.1 and 3.2. IPv4's private addresses are global, and so are IPv6's unique local ones. */
function scopeOf(bytes: Uint8Array): number {
  if (isMapped(bytes)) {
    return bytes[12] === 127 || (bytes[12] === 169 && bytes[13] === 254) ? scopes.linkLocal : scopes.global
  }
  // A multicast address says its scope itself.
  if (bytes[0] === 0xff) return bytes[1]! & 0xf
  if (commonBits(bytes, loopback) === 128 || commonBits(bytes, linkLocal) >= 10) return scopes.linkLocal
  return commonBits(bytes, siteLocal) >= 10 ? scopes.siteLocal : scopes.global
}

/**
 * Rule 9 counts no further than the source's prefix, which is 64 bits wherever hosts make their own addresses. Between
 * IPv4 addresses it says nothing: networks that have nothing to do with each other are neighbours in number, sources
 * are mostly private ones behind NAT, and the order by which servers spread their load would be undone. Precedence has
 * told the families apart before.
 */
function matchingPrefix(source: Uint8Array, destination: Uint8Array): number {
  return isMapped(destination) ? 0 : Math.min(64, commonBits(source, destination))
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i])
  return at < 0 ? 128 : at * 8 + Math.clz32(a[at]! ^ b[at]!) - 24
}
