/** Hosts as keys: which share of a list a target belongs to, and which network. Of the text alone, so that all machines agree. */
import { hashOf } from './hash.js'
import { normaliseHostname } from './hostname.js'
import { mappedIpv4, parseIpv6 } from './ip.js'
import type { ParsedTarget } from './target.js'

/** Share `index`, counted from 1, of `count`. */
export interface Shard {
  index: number
  count: number
}

/** More machines than anybody gives one list. */
export const shardsAtMost = 10_000

/** All ports of one host are in one shard. */
export function isInShard(target: ParsedTarget, { index, count }: Shard): boolean {
  return hashOf(hostKey(target)) % count === index - 1
}

/** A numeric address in canonical form, an IPv4-mapped one as the address it stands for; a name in lower case; a path. */
export function hostKey(target: ParsedTarget): string {
  if (target.kind === 'name') return normaliseHostname(target.hostname)
  const { endpoint } = target
  if (endpoint.family === 'unix') return `unix:${endpoint.path}`
  return endpoint.family === 'inet6' ? (mappedIpv4(endpoint.address) ?? endpoint.address) : endpoint.address
}

/** The /24 of an IPv4 address, the /64 of an IPv6 one; a name and a path stand for themselves. */
export function networkOf(target: ParsedTarget): string {
  const host = hostKey(target)
  if (target.kind === 'name' || target.endpoint.family === 'unix') return host
  const bytes = parseIpv6(host)
  return bytes ? bytes.subarray(0, 8).join(':') : host.slice(0, host.lastIndexOf('.'))
}
