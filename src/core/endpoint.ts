/** One numeric socket address: what connect(2) takes, and how it is written. */
import { formatIpv6, parseIpv4, parseIpv6, splitZone } from './ip.js'

/** One numeric socket address, its text in canonical form. An abstract path is kept with its leading NUL. */
export type Endpoint =
  | { family: 'inet'; address: string; port: number }
  | { family: 'inet6'; address: string; port: number; scopeId?: number }
  | { family: 'unix'; path: string }

export type InetEndpoint = Exclude<Endpoint, { family: 'unix' }>

export type Family = InetEndpoint['family']

/** `127.0.0.1:80`, `[fe80::1%2]:80`, `unix:/path`, `unix:@name`. */
export function formatEndpoint(endpoint: Endpoint): string {
  switch (endpoint.family) {
    case 'inet':
      return `${endpoint.address}:${endpoint.port}`
    case 'inet6':
      return `${bracketed(endpoint.address, endpoint.scopeId || undefined)}:${endpoint.port}`
    case 'unix':
      return formatPath(endpoint.path)
  }
}

/** `[::1]`, `[fe80::1%eth0]`. A zone that begins with 25 would read as RFC 6874's `%25`, so its `%` is written so. */
export function bracketed(address: string, zone?: string | number): string {
  if (zone === undefined) return `[${address}]`
  const text = String(zone)
  return `[${address}%${text.startsWith('25') && text.length > 2 ? '25' : ''}${text}]`
}

/** `unix:/path`, `unix:@name`. */
export function formatPath(path: string): string {
  return `unix:${path.startsWith('\0') ? `@${path.slice(1)}` : path}`
}

/** What limits per host count by: an address, or a path. */
export const hostOf = (endpoint: Endpoint): string => (endpoint.family === 'unix' ? endpoint.path : endpoint.address)

/**
 * Numeric text and a port (0 to 65535) as an endpoint; undefined where they are none. `fe80::1%2` is read, a zone by
 * name is not. A scope id that is given wins.
 */
export function endpointOf(address: string, port: number, scopeId?: number): Endpoint | undefined {
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) return undefined
  if (parseIpv4(address)) return { family: 'inet', address, port }
  const { address: numeric, scopeId: written, zone } = splitZone(address)
  const bytes = zone === undefined ? parseIpv6(numeric) : undefined
  if (!bytes) return undefined
  const scope = scopeId ?? written
  return { family: 'inet6', address: formatIpv6(bytes), port, ...(scope ? { scopeId: scope } : {}) }
}
