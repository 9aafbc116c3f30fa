/**
 * Which other addresses a numeric address stands for. The kernel, or a gateway on the way, takes some addresses for
 * others: a rule about addresses must look at all of them.
 */
import { formatIpv4, formatIpv6, isMapped, parseIpv4, parseIpv6 } from './ip.js'

/**
 * The addresses that may be reached by connecting to `address`, itself first, without duplicates.
 *
 * - The unspecified addresses are this machine: Linux connects `0.0.0.0` to the source address or else to `127.0.0.1`,
 *   and `::` to `::1`, or to `127.0.0.1` where the source is an IPv4 address.
 * - IPv4-mapped addresses (`::ffff:a.b.c.d`) are IPv4 to the kernel.
 * - IPv4-compatible (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052 and RFC 8215), 6to4 (RFC 3056), ISATAP (RFC
 *   5214) and Teredo (RFC 4380) addresses lead to an IPv4 address through a gateway or tunnel. A Teredo address names
 *   two: the client's, and that of its server, which is sent packets too.
 *
 * A NAT64 prefix that a network chose for itself cannot be told from other addresses.
 */
export function addressesBehind(address: string, source?: string): readonly string[] {
  const found = new Set([address])
  const ipv4 = parseIpv4(address)
  const bytes = ipv4 ? undefined : parseIpv6(address)
  if (ipv4) addIpv4(found, formatIpv4(ipv4), source)
  else if (bytes && isMapped(bytes)) addIpv4(found, formatIpv4(bytes, 12), source)
  else if (bytes?.every((byte) => byte === 0)) {
    for (const own of ['::1', '127.0.0.1', source]) if (own !== undefined) found.add(own)
  } else if (bytes && formatIpv6(bytes) !== '::1') {
    for (const embedded of embeddedIn(bytes)) found.add(embedded)
  }
  return [...found]
}

function addIpv4(found: Set<string>, address: string, source: string | undefined): void {
  found.add(address)
  if (address !== '0.0.0.0') return
  found.add('127.0.0.1')
  if (source !== undefined) found.add(source)
}

/** What an IPv6 address begins with, and where in it the four bytes of an IPv4 address are. */
type Form = readonly [prefix: string, length: number, readonly number[]]

const lastFour = [12, 13, 14, 15]

const forms: readonly Form[] = [
  /* IPv4-compatible */ ['::', 96, lastFour],
  /* IPv4-translated */ ['::ffff:0:0:0', 96, lastFour],
  /* NAT64, the well-known prefix */ ['64:ff9b::', 96, lastFour],
  // A network that uses the local-use prefix chooses the length of its own part, so an address has four readings. Byte 8 is left out.
  ['64:ff9b:1::', 48, [6, 7, 9, 10]],
  ['64:ff9b:1::', 48, [7, 9, 10, 11]],
  ['64:ff9b:1::', 48, [9, 10, 11, 12]],
  ['64:ff9b:1::', 48, lastFour],
  /* 6to4 */ ['2002::', 16, [2, 3, 4, 5]],
  /* Teredo, the server */ ['2001::', 32, [4, 5, 6, 7]],
]

const table = forms.map(([prefix, length, at]) => ({ prefix: parseIpv6(prefix)!, bytes: length / 8, at }))
const teredo = parseIpv6('2001::')!

function embeddedIn(bytes: Uint8Array): string[] {
  const found = table
    .filter(({ prefix, bytes: length }) => startsWith(bytes, prefix, length))
    .map(({ at }) => at.map((index) => bytes[index]!))
  // Teredo hides the client's address by inverting it.
  if (startsWith(bytes, teredo, 4)) found.push(lastFour.map((index) => bytes[index]! ^ 0xff))
  if (isIsatap(bytes)) found.push(lastFour.map((index) => bytes[index]!))
  // No gateway forwards to 0.0.0.0/8: such bytes are not an address, but a part of something else.
  return found.filter(([first]) => first !== 0).map((each) => each.join('.'))
}

/** The interface identifier is `0:5efe` or `200:5efe`, whatever the prefix. */
const isIsatap = (bytes: Uint8Array): boolean =>
  (bytes[8]! & ~2) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe

function startsWith(bytes: Uint8Array, prefix: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i += 1) if (bytes[i] !== prefix[i]) return false
  return true
}
