/** What this machine allows: descriptors and local ports. A limit that cannot be read does not limit. */
import { readdirSync, readFileSync } from 'node:fs'
import { classOf } from '../core/errno.js'
import { domains } from '../core/sockaddr.js'
import { descriptorCeiling } from '../core/window.js'
import { codeOf } from '../errors/errnos.js'
import { binding } from './binding.js'

/** SOCK_DGRAM. */
const datagram = 2

/** How many attempts may hold a descriptor at once, what is open already and a reserve left out. */
export function descriptorsFree(): number {
  const limit = binding.descriptorLimit()
  return limit < 0 ? Number.POSITIVE_INFINITY : descriptorCeiling(limit, descriptorsInUse())
}

/** Connections to one address and port that can be open at once: ip(7), ip_local_port_range. */
export function localPorts(): number {
  try {
    const [low, high] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
    return high! - low! + 1
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/**
 * EMFILE or ENFILE where not even one more descriptor can be had now. It opens a socket, as DNS would, because a chroot
 * may have no file to open.
 */
export function lackOfDescriptors(): string | undefined {
  const fd = binding.socket(domains.unix, datagram)
  if (fd >= 0) binding.close(fd)
  const code = fd < 0 ? codeOf(fd) : ''
  return classOf(code) === 'local' ? code : undefined
}

function descriptorsInUse(): number {
  try {
    return readdirSync('/dev/fd').length
  } catch {
    return 0
  }
}
