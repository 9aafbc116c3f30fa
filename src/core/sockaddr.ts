/**
 * Linux's socket addresses: bytes as connect(2) takes them, and back. The family is in the machine's byte order, the
 * port in network order; sockaddr_in has 16 bytes, sockaddr_in6 28, sockaddr_un 2 and the path.
 */
import type { Endpoint } from './endpoint.js'
import { InvalidTargetError } from './invalid-target.js'
import { formatIpv4, formatIpv6, parseIpv6, splitZone, writeIpv4 } from './ip.js'

const afUnspec = 0
/** Linux's numbers, for socket(2) and at the head of a sockaddr. */
export const domains = { unix: 1, inet: 2, inet6: 10 } as const

/** sizeof sun_path: what a path and its NUL, or an abstract name and its leading NUL, have to fit in. */
export const pathBytesAtMost = 108

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const encoder = new TextEncoder()
/** Exact: what it cannot read, or would leave out, is another file's name. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * What the calls of `cancelpoint/posix` take and give. A scope id stands behind the address (`fe80::1%2`), an abstract
 * name behind a NUL; an empty path is an unnamed socket. `bytes` is the whole sockaddr as it is, family included.
 */
export type SocketAddress =
  | { family: 'inet' | 'inet6'; address: string; port: number }
  | { family: 'unix'; path: string }
  | { family: 'unspec' }
  | { family: number; bytes: Uint8Array }

/**
 * The sockaddr of an endpoint, in a buffer of the caller's own.
 * @throws InvalidTargetError if the address, port or path fits none.
 */
export function encodeEndpoint(endpoint: Endpoint): Uint8Array {
  switch (endpoint.family) {
    case 'inet':
      return encodeInet(endpoint.address, endpoint.port)
    case 'inet6':
      return encodeInet6(endpoint.address, endpoint.port, endpoint.scopeId ?? 0)
    case 'unix':
      return encodeUnix(endpoint.path)
  }
}

/**
 * The sockaddr of what a caller of `cancelpoint/posix` wrote, in a buffer of the caller's own. Port 0 is allowed.
 * @throws InvalidTargetError if the address, port or path fits none.
 */
export function encodeSocketAddress(address: SocketAddress): Uint8Array {
  if (typeof address !== 'object' || address === null) throw noAddress(address)
  // A Buffer's own slice would share its memory.
  if ('bytes' in address) {
    if (ArrayBuffer.isView(address.bytes)) return Uint8Array.from(address.bytes)
    throw invalidAddress(address, 'its bytes as a Uint8Array')
  }
  switch (address.family) {
    case 'inet':
      return encodeInet(textIn(address, 'address'), address.port)
    case 'inet6': {
      const { address: numeric, scopeId, zone } = splitZone(textIn(address, 'address'))
      if (zone !== undefined) throw invalidAddress(address.address, 'an IPv6 address, its zone as a number')
      return encodeInet6(numeric, address.port, scopeId ?? 0)
    }
    case 'unix':
      return encodeUnix(textIn(address, 'path'))
    case 'unspec':
      return new Uint8Array(16)
    default:
      throw noAddress(address)
  }
}

function textIn(address: SocketAddress, field: 'address' | 'path'): string {
  const text = (address as Record<string, unknown>)[field]
  if (typeof text === 'string') return text
  throw invalidAddress(address, `its ${field} as a string`)
}

const noAddress = (given: unknown) =>
  new InvalidTargetError(
    given,
    "expected an address whose family is 'inet', 'inet6', 'unix' or 'unspec', or its bytes",
    'give one',
  )

/** Half of a surrogate pair would be encoded as U+FFFD, which is another file's name. */
export const hasLoneSurrogate = (text: string): boolean => /\p{Cs}/u.test(text)

/**
 * What the kernel wrote, as people read it. Families and lengths it does not know come back as bytes, a copy, and so
 * do paths that are not UTF-8: no string names their file.
 */
export function decodeSocketAddress(bytes: Uint8Array): SocketAddress {
  const { length } = bytes
  const family = length < 2 ? afUnspec : littleEndian ? bytes[0]! | (bytes[1]! << 8) : (bytes[0]! << 8) | bytes[1]!
  const port = () => (bytes[2]! << 8) | bytes[3]!
  if (family === afUnspec) return { family: 'unspec' }
  if (family === domains.unix) {
    const path = decodePath(bytes.subarray(2))
    return path === undefined ? { family, bytes: Uint8Array.from(bytes) } : { family: 'unix', path }
  }
  if (family === domains.inet && length >= 16) return { family: 'inet', address: formatIpv4(bytes, 4), port: port() }
  if (family !== domains.inet6 || length < 28) return { family, bytes: Uint8Array.from(bytes) }
  const scopeId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(24, littleEndian)
  const address = formatIpv6(bytes.subarray(8, 24))
  return { family: 'inet6', address: scopeId === 0 ? address : `${address}%${scopeId}`, port: port() }
}

function encodeInet(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16)
  writeHead(bytes, domains.inet, port)
  if (!writeIpv4(address, bytes, 4)) throw invalidAddress(address, 'an IPv4 address of four decimals')
  return bytes
}

function encodeInet6(address: string, port: number, scopeId: number): Uint8Array {
  const numeric = parseIpv6(address)
  if (!numeric) throw invalidAddress(address, 'an IPv6 address')
  const bytes = new Uint8Array(28)
  writeHead(bytes, domains.inet6, port)
  bytes.set(numeric, 8)
  if (scopeId !== 0) new DataView(bytes.buffer).setUint32(24, scopeId, littleEndian)
  return bytes
}

/** A path ends with a NUL; an abstract name starts with one and ends with the length. */
function encodeUnix(path: string): Uint8Array {
  if (hasLoneSurrogate(path)) throw invalidAddress(path, 'a path without half of a surrogate pair')
  const name = encoder.encode(path)
  const abstract = name[0] === 0
  const ending = abstract || name.length === 0 ? 0 : 1
  if (name.length + ending > pathBytesAtMost) throw invalidAddress(path, `at most ${pathBytesAtMost - 1} bytes of path`)
  if (!abstract && name.includes(0)) throw invalidAddress(path, 'a path without NUL characters')
  const bytes = new Uint8Array(2 + name.length + ending)
  writeFamily(bytes, domains.unix)
  bytes.set(name, 2)
  return bytes
}

/** Undefined where it is not UTF-8. */
function decodePath(bytes: Uint8Array): string | undefined {
  const end = bytes[0] === 0 ? -1 : bytes.indexOf(0)
  try {
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
  } catch {
    return undefined
  }
}

function writeHead(bytes: Uint8Array, family: number, port: number): void {
  if (!(port >= 0 && port <= 65_535 && Number.isInteger(port))) throw invalidAddress(port, 'a port from 0 to 65535')
  writeFamily(bytes, family)
  bytes[2] = port >> 8
  bytes[3] = port & 255
}

function writeFamily(bytes: Uint8Array, family: number): void {
  bytes[littleEndian ? 0 : 1] = family
}

function invalidAddress(given: unknown, expected: string): InvalidTargetError {
  return new InvalidTargetError(given, `expected ${expected}`, 'correct the address')
}
