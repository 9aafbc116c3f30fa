/** What `cancelpoint check` was asked for, as the command line says it. */
import type { Shard } from '../core/shard.js'
import type { EngineName } from '../types.js'
import type { FamilyFlags } from './family-flags.js'
import type { FormatName } from './formats/format.js'
import type { ProbeFlags } from './probe-flags.js'

export interface CheckFlags extends ProbeFlags, FamilyFlags {
  file?: string[]
  config?: string
  lab?: boolean
  engine: EngineName | 'auto'
  timeout: number
  retries: number
  concurrency: number
  rate?: number
  halfOpen?: boolean
  allAddresses?: boolean
  close?: 'reset' | 'fin'
  shard?: Shard
  seed?: number
  resume?: string
  json?: boolean
  format?: FormatName
  quiet?: boolean
  verbose?: boolean
}
