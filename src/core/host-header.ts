/**
 * Whether a Host header names this server. A web page whose own name was made to lead here (DNS rebinding) sends its own name,
 * and is refused by it. Pure.
 */
import { bracketed } from './endpoint.js'
import { formatIpv6, isMapped, parseIpv4, parseIpv6 } from './ip.js'

export interface Known {
  /** In lower case: what the server was told to listen on, and what else it may be called. */
  readonly names: readonly string[]
  /** It may be reached by any address of this machine. An address is no name that somebody could have made to lead here. */
  readonly anyAddress: boolean
}

/** `host` without its port, in lower case and without brackets; undefined where the header is none. */
export function hostNameOf(header: string): string | undefined {
  if (header.length > 300) return undefined
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(header)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

export function isKnownHost(header: string, { names, anyAddress }: Known): boolean {
  const host = hostNameOf(header)
  if (host === undefined) return false
  const plain = host.endsWith('.') ? host.slice(0, -1) : host
  if (plain === 'localhost' || plain.endsWith('.localhost') || names.includes(plain)) return true
  return isLoopback(plain) || (anyAddress && (parseIpv4(plain) ?? parseIpv6(plain)) !== undefined)
}

/** Of a numeric address: only this machine reaches it. */
export function isLoopback(address: string): boolean {
  const ipv4 = parseIpv4(address)
  if (ipv4) return ipv4[0] === 127
  const bytes = parseIpv6(address)
  if (!bytes) return false
  return isMapped(bytes) ? bytes[12] === 127 : formatIpv6(bytes) === '::1'
}

/** For a URL. */
export const urlHost = (address: string): string => (address.includes(':') ? bracketed(address) : address)
