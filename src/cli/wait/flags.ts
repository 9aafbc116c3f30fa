/** What `cancelpoint wait` was asked for, as the command line says it. */
import type { FamilyFlags } from '../family-flags.js'
import type { ProbeFlags } from '../probe-flags.js'

export interface WaitFlags extends ProbeFlags, FamilyFlags {
  timeout: number
  interval: number
  reverse?: boolean
  quiet?: boolean
}
