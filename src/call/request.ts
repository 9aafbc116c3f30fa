/** What an engine is asked for on behalf of a call, and the source that the caller fixed. */
import type { AttemptRequest } from '../bridge/registry.js'
import { type Endpoint, endpointOf, formatEndpoint, type InetEndpoint } from '../core/endpoint.js'
import { mappedIpv4 } from '../core/ip.js'
import { encodeEndpoint } from '../core/sockaddr.js'
import { ConnectError } from '../errors/connect-error.js'
import type { CheckOptions, ConnectOptions } from '../types.js'
import type { CallSettings } from './settings.js'

/** `asProbe`: connect, verify, close; no descriptor comes back. */
export function requestFor(
  endpoint: Endpoint,
  settings: CallSettings & Pick<CheckOptions, 'halfOpen' | 'close'>,
  asProbe: boolean,
): AttemptRequest {
  const { attemptTimeoutMs } = settings
  const timeoutMs = Number.isFinite(attemptTimeoutMs) ? Math.ceil(attemptTimeoutMs) : 0
  const halfOpen = settings.halfOpen && endpoint.family !== 'unix'
  const source = sourceFor(endpoint, settings)
  const local = source && encodeEndpoint(source)
  return {
    family: endpoint.family,
    remote: encodeEndpoint(endpoint),
    local,
    timeoutMs,
    probe: asProbe,
    halfOpen,
    closeWith: settings.close,
  }
}

export const fixesSource = ({ localAddress, localPort }: ConnectOptions): boolean =>
  localAddress !== undefined || localPort !== undefined

/** The source, where the caller fixed it or a part of it. An IPv4-mapped one is IPv4 where the endpoint is. */
export function sourceFor(endpoint: Endpoint, options: ConnectOptions): InetEndpoint | undefined {
  if (!fixesSource(options) || endpoint.family === 'unix') return undefined
  const any = endpoint.family === 'inet' ? '0.0.0.0' : '::'
  const { localAddress = any, localPort = 0 } = options
  return endpointOf((endpoint.family === 'inet' && mappedIpv4(localAddress)) || localAddress, localPort) as InetEndpoint
}

/** Refuses an endpoint whose family is not that of the fixed source. bind would say EAFNOSUPPORT or EINVAL, and not why. */
export function refuseFamily(endpoint: Endpoint, options: ConnectOptions): ConnectError | undefined {
  const source = sourceFor(endpoint, options)
  if (!source || source.family === endpoint.family) return undefined
  const means = `The source address is ${familyNames[source.family]}, and ${formatEndpoint(endpoint)} is not.`
  const remedy = 'Give a localAddress of the target’s family, or leave it out.'
  const advice = { means, remedy }
  return new ConnectError({ code: 'EAFNOSUPPORT', syscall: 'bind', endpoint: source, errnoClass: 'misuse', advice })
}

const familyNames = { inet: 'IPv4', inet6: 'IPv6' }
