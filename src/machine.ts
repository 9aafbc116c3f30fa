/** What this machine allows: descriptors and local ports. Read when a manager starts; a limit that cannot be read does not limit. */
import { readdirSync, readFileSync } from 'node:fs'

import { binding } from './binding.js'
import { descriptorCeiling } from './core/window.js'

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

function descriptorsInUse(): number {
  try {
    return readdirSync('/dev/fd').length
  } catch {
    return 0
  }
}
