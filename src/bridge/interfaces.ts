/** Interfaces by name: what a zone of an IPv6 address means. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/** The index of an interface that has an IPv6 address; undefined where none of that name has one. */
export function interfaceIndex(name: string): number | undefined {
  const addresses = linuxAddresses()
  // Node tells the index of those that have a link-local address.
  if (addresses === undefined) return networkInterfaces()[name]?.find(({ scopeid }) => scopeid)?.scopeid
  const line = addresses.map((each) => each.trim().split(/\s+/)).find((fields) => fields[5] === name)
  return line && Number.parseInt(line[1]!, 16)
}

/**
 * A line each: address, index of its interface, length of the prefix, scope, flags, name. Of this process's network
 * namespace, which what /sys shows need not be of. Undefined where there is no such file.
 */
function linuxAddresses(): string[] | undefined {
  try {
    return readFileSync('/proc/net/if_inet6', 'latin1').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
