/** Interfaces by name and by index: what a zone of an IPv6 address means. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/**
 * The index of the interface that a zone means, by its name or as it stands; undefined where no interface of that name or
 * index has an IPv6 address.
 */
export function interfaceIndex(zone: string): number | undefined {
  const index = /^\d+$/.test(zone) ? Number(zone) : undefined
  const known = interfaces()
  return known.find(([name]) => name === zone)?.[1] ?? known.find((each) => each[1] === index)?.[1]
}

/** Those that have an IPv6 address. */
function interfaces(): [name: string, index: number][] {
  const lines = linuxAddresses()
  if (lines) return lines.map((line) => line.trim().split(/\s+/)).map((f) => [f[5]!, Number.parseInt(f[1]!, 16)])
  // Node tells the index of those that have a link-local address.
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => {
    const scoped = addresses.find(({ scopeid }) => scopeid)
    return scoped ? [[name, scoped.scopeid!]] : []
  })
}

/**
 * A line each: address, index of its interface, length of the prefix, scope, flags, name. Of this process's network
 * namespace, which what /sys shows need not be of. Undefined where there is no such file.
 */
function linuxAddresses(): string[] | undefined {
  try {
    return readFileSync('/proc/net/if_inet6', 'utf8').trim().split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
