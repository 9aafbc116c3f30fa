/** What `cancelpoint watch` was asked for, as the command line says it. */
import type { EngineName } from '../../types.js'
import type { FamilyFlags } from '../family-flags.js'
import type { ProbeFlags } from '../probe-flags.js'

export interface WatchFlags extends ProbeFlags, FamilyFlags {
  file?: string[]
  config?: string
  interval: number
  fastInterval?: number
  downInterval?: number
  rise: number
  fall: number
  canary?: string[]
  timeout: number
  engine: EngineName | 'auto'
  concurrency: number
  close?: 'reset' | 'fin'
  json?: boolean
  quiet?: boolean
}
