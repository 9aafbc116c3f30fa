/** What `cancelpoint check` was asked for, as the command line says it. */
import type { EngineName } from '../types.js'
import type { ProbeFlags } from './probe-flags.js'

export interface CheckFlags extends ProbeFlags {
  file?: string[]
  lab?: boolean
  engine: EngineName | 'auto'
  timeout: number
  retries: number
  concurrency: number
  rate?: number
  halfOpen?: boolean
  allAddresses?: boolean
  close?: 'reset' | 'fin'
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}
