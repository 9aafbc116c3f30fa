/** Ranges of targets as they are written in one word: which hosts, which ports, and how many. Nothing is expanded here. */

import { isNumeric } from './hostname.js'
import { InvalidTargetError } from './invalid-target.js'
import { parseIpv4, parseIpv6 } from './ip.js'
import * as limits from './limits.js'
import { portOf } from './target.js'
import { faultInText, tooLong } from './target-fault.js'

/** All of a /8 on one port: more in one word is a slip of the pen. */
export const targetsPerRange = 16_777_216

/** The addresses of a /24. */
const blockSize = 256

export interface Range {
  /** As written, `tcp://` included: the one host, where there are no `addresses`. */
  host: string
  addresses?: Addresses | undefined
  ports: readonly PortRange[]
  /** How many targets it stands for. */
  count: number
}

export interface PortRange {
  first: number
  last: number
}

/**
 * Addresses in ascending order. A count beyond 2 ** 53 is rounded, and far too many. They lie in blocks of up to 256, which
 * share all bytes but the last: a /24, or a /120.
 */
export interface Addresses {
  count: number
  each(): Iterable<Uint8Array>
  blocks: number
  /** Of each block; not all of them need be in the range. */
  perBlock: number
  /** False where the range does not have it: the first and the last block may be parts of one. */
  write(bytes: Uint8Array, block: number, place: number): boolean
}

/**
 * Undefined where one target is written, readable or not.
 * @throws InvalidTargetError
 */
export function rangeIn(text: string): Range | undefined {
  if (text.length > limits.rangeLengthAtMost) throw tooLong(text, text.length, limits.rangeLengthAtMost)
  const range = rangeOf(text)
  if (range && range.count > targetsPerRange) {
    throw new InvalidTargetError(text, 'expected at most 16,777,216 targets in one range', 'write smaller ranges')
  }
  return range
}

function rangeOf(text: string): Range | undefined {
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
  const host = text.slice(0, bracketed ? end + 1 : end)
  const perAddress = (ports as PortRange[]).reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return { host, addresses, ports: ports as PortRange[], count: (addresses?.count ?? 1) * perAddress }
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
  const last = first.length - 1
  const start = first[last]!
  const blocks = Math.ceil((start + count) / blockSize)
  // Of one block there is nothing but the range.
  const [perBlock, skipped] = blocks === 1 ? [count, 0] : [blockSize, start]
  return {
    count,
    blocks,
    perBlock,
    write(bytes, block, place) {
      const offset = block * blockSize + place - skipped
      if (offset < 0 || offset >= count) return false
      bytes.set(first)
      let carry = start + offset
      for (let i = last; carry > 0 && i >= 0; i -= 1) {
        if (i < last) carry += bytes[i]!
        bytes[i] = carry
        carry = Math.floor(carry / blockSize)
      }
      return true
    },
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
    blocks: as.length * bs.length * cs.length,
    perBlock: ds.length,
    write(bytes, block, place) {
      const pair = Math.floor(block / cs.length)
      bytes[0] = as[Math.floor(pair / bs.length)]!
      bytes[1] = bs[pair % bs.length]!
      bytes[2] = cs[block % cs.length]!
      bytes[3] = ds[place]!
      return true
    },
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
