/** A name's addresses in order of preference (core/preference.ts), by the source addresses that the kernel would use now. */
import { binding } from '../bridge/binding.js'
import type { InetEndpoint } from '../core/endpoint.js'
import { type Destination, sortByPreference } from '../core/preference.js'
import { decodeSocketAddress, domains, encodeEndpoint } from '../core/sockaddr.js'
import { codeOf } from '../errors/errnos.js'

/** SOCK_DGRAM. connect(2) on such a socket looks up the route; it does not wait and sends nothing. */
const datagram = 2
/** Errnos that say what this machine lacks for the moment. */
const lacks: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN'])

/** The endpoints in order of preference, or as they are given where this machine cannot tell. */
export function byPreference(endpoints: readonly InetEndpoint[]): readonly InetEndpoint[] {
  if (endpoints.length < 2) return endpoints
  const destinations: (Destination & { endpoint: InetEndpoint })[] = []
  for (const endpoint of endpoints) {
    const source = sourceOf(endpoint)
    if (source === cannotTell) return endpoints
    destinations.push({ endpoint, address: endpoint.address, source })
  }
  return sortByPreference(destinations).map(({ endpoint }) => endpoint)
}

const cannotTell = Symbol('cannot tell')

/** undefined where the kernel has no way to the endpoint. */
function sourceOf(endpoint: InetEndpoint): string | typeof cannotTell | undefined {
  const fd = binding.socket(domains[endpoint.family], datagram)
  if (fd < 0) return withoutSource(fd)
  try {
    const connected = binding.connectNow(fd, encodeEndpoint(endpoint))
    if (connected < 0) return withoutSource(connected)
    const name = binding.getsockname(fd)
    if (typeof name === 'number') return withoutSource(name)
    const own = decodeSocketAddress(name)
    return 'address' in own ? own.address : cannotTell
  } finally {
    binding.close(fd)
  }
}

const withoutSource = (errno: number) => (lacks.has(codeOf(errno)) ? cannotTell : undefined)
