/** Names to endpoints: by the resolver, or by the caller's own lookup; and which of them a block list bars. */
import { isIP } from 'node:net'

import type { Call } from './connect.js'
import { type Endpoint, endpointOf, type ParsedTarget, unmapIpv4 } from './core/address.js'
import type { Family, InetEndpoint } from './core/race.js'
import { ConnectError } from './errors.js'
import { interfaceIndex } from './interfaces.js'
import { readable } from './parsed-file.js'
import { requeued } from './supervisor.js'
import type { ConnectOptions } from './types.js'

export type NamedTarget = Extract<ParsedTarget, { kind: 'name' }>
export type NumericTarget = Extract<ParsedTarget, { kind: 'endpoint' }>

/** `error`: why there are fewer than there might be. */
type Told = (families: readonly Family[], endpoints: readonly InetEndpoint[], error?: ConnectError) => void

/** All endpoints of a target, in the order of the answers. */
export async function addressesOf(call: Call): Promise<Endpoint[]> {
  const { target } = call
  if (target.kind === 'endpoint') return [withZone(target)]
  const endpoints: Record<Family, InetEndpoint[]> = { inet6: [], inet: [] }
  await askFor(target, call, call.cancellation.signal, (families, some) => endpoints[families[0]!].push(...some))
  return [...endpoints.inet6, ...endpoints.inet]
}

/**
 * Tells a name's endpoints as they become known: for both families at once in the order of the hosts file or of the
 * caller's lookup, or a family at a time. Settles after the last; at once when the signal aborts.
 */
export async function askFor(
  { hostname, port }: NamedTarget,
  call: Call,
  signal: AbortSignal,
  told: Told,
): Promise<void> {
  const { cancellation, options, resolver } = call
  const startedAt = performance.now()
  const known = () => {
    call.naming = false
    call.nameMs ??= performance.now() - startedAt
  }
  const endpointFor = (address: string) => (endpointOf(address, port) ?? notNumeric(hostname, address)) as InetEndpoint
  call.naming = true
  delete call.nameMs
  call.deadline.arm()
  if (options.lookup) {
    const addresses = await cancellation.race(options.lookup(hostname, { signal }))
    if (!Array.isArray(addresses)) throw new TypeError(`lookup of ${hostname} gave ${addresses}: expected an array`)
    const endpoints = addresses.map(endpointFor)
    known()
    told(['inet6', 'inet'], endpoints)
    return
  }
  await requeued(hostname, call, () =>
    resolver.query(hostname, { signal }, ({ families, addresses, error }) => {
      if (addresses.length > 0) known()
      told(families, addresses.map(endpointFor), error)
    }),
  )
  known()
}

function notNumeric(hostname: string, address: string): never {
  throw new TypeError(`lookup of ${hostname} gave '${address}': expected numeric IPv4 or IPv6 addresses`)
}

/** A zone by name is this machine's matter: its index is looked up here. */
export function withZone({ endpoint, zone }: NumericTarget): Endpoint {
  if (zone === undefined || endpoint.family !== 'inet6' || endpoint.scopeId !== undefined) return endpoint
  const scopeId = readable({ endpoint }, () => interfaceIndex(zone))
  if (scopeId !== undefined) return { ...endpoint, scopeId }
  throw new ConnectError({
    code: 'EINVAL',
    syscall: 'connect',
    endpoint,
    errnoClass: 'misuse',
    detail: `no interface named '${zone}' has an IPv6 address; see 'ip -6 addr' for those that have`,
  })
}

/** Whether the block list bars an endpoint; an IPv4-mapped address is judged as the IPv4 address it is. */
export function refuseBlocked(endpoint: Endpoint, { blockList }: ConnectOptions): ConnectError | undefined {
  if (!blockList || endpoint.family === 'unix') return undefined
  const address = unmapIpv4(endpoint.address)
  if (!blockList.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')) return undefined
  return new ConnectError({ code: 'ERR_BLOCKED', syscall: 'connect', endpoint, errnoClass: 'denied' })
}
