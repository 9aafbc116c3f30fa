/** Names to endpoints: by the resolver, or by the caller's own lookup. */
import { interfaceIndex } from '../bridge/interfaces.js'
import type { Family, InetEndpoint } from '../core/endpoint.js'
import { type Endpoint, endpointOf } from '../core/endpoint.js'
import { show } from '../core/invalid-target.js'
import type { NamedTarget, NumericTarget } from '../core/target.js'
import { ConnectError, unresolvedError } from '../errors/connect-error.js'
import { readable } from '../names/parsed-file.js'
import { fewEnough, tooManyError } from '../names/records.js'
import type { ConnectOptions } from '../types.js'
import type { Call } from './call.js'
import type { Cancellation } from './cancellation.js'
import { requeued } from './supervisor.js'

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
  const { cancellation, settings, observer } = call
  const { resolver } = call.means
  const naming = call.startsNaming()
  const tell: Told = (families, all, error) => {
    const endpoints = settings.family ? all.filter(({ family }) => family === familyOf[settings.family!]) : all
    if (endpoints.length > 0) observer?.found(endpoints)
    told(families, endpoints, error)
  }
  if (settings.lookup) {
    const endpoints = endpointsOf(await lookedUp(hostname, settings.lookup, cancellation, signal), hostname, port)
    const { few, leftOut } = fewEnough(endpoints, ({ family }) => family === 'inet6')
    naming.known()
    tell(['inet6', 'inet'], few, tooManyError(hostname, leftOut))
    return
  }
  const { fresh, waits } = naming
  await requeued(call, () =>
    resolver.query(hostname, { signal, fresh, waits }, ({ families, addresses, error }) => {
      if (addresses.length > 0) naming.known()
      tell(families, endpointsOf(addresses, hostname, port), error)
    }),
  )
  naming.known()
}

const familyOf = { 4: 'inet', 6: 'inet6' } as const

/** The families of a name's addresses that the caller wants. */
export const familiesOf = ({ family }: ConnectOptions): readonly Family[] =>
  family ? [familyOf[family]] : ['inet6', 'inet']

/** By the caller's own lookup. Its ENOTFOUND or EAI_AGAIN is an answer about the name, as Node's lookups give it; anything else it throws is passed on. */
async function lookedUp(
  hostname: string,
  lookup: NonNullable<ConnectOptions['lookup']>,
  cancellation: Cancellation,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await cancellation.race(lookup(hostname, { signal }))
  } catch (error) {
    if (error === undefined || error === null)
      throw new TypeError(`${error} was thrown by lookup of ${hostname}: expected an Error that says why`)
    const { code, syscall = 'lookup' } = error as NodeJS.ErrnoException
    const ofName = (code === 'ENOTFOUND' || code === 'EAI_AGAIN') && !(error instanceof ConnectError)
    throw ofName ? unresolvedError(code, syscall, hostname, error, (error as NodeJS.ErrnoException).errno) : error
  }
}

function endpointsOf(addresses: unknown, hostname: string, port: number): InetEndpoint[] {
  const refuse = (given: string) => {
    throw new TypeError(`lookup of ${hostname} gave ${given}: expected an array of numeric addresses, as ['127.0.0.1']`)
  }
  if (!Array.isArray(addresses)) return refuse(show(addresses))
  return Array.from(addresses, (address: unknown) => {
    const endpoint = typeof address === 'string' ? endpointOf(address, port) : undefined
    return (endpoint ?? refuse(`an array with ${show(address)}`)) as InetEndpoint
  })
}

/** A zone names an interface of this machine. Its index is looked up here. */
export function withZone({ endpoint, zone }: NumericTarget): Endpoint {
  if (zone === undefined || endpoint.family !== 'inet6' || endpoint.scopeId !== undefined) return endpoint
  const scopeId = readable({ endpoint }, () => interfaceIndex(zone))
  if (scopeId !== undefined) return { ...endpoint, scopeId }
  const which = /^\d+$/.test(zone) ? `with index ${zone}` : `named ${show(zone)}`
  throw new ConnectError({
    code: 'EINVAL',
    syscall: 'connect',
    endpoint,
    errnoClass: 'misuse',
    detail: `no interface ${which} has an IPv6 address; see 'ip -6 addr' for those that have`,
  })
}
