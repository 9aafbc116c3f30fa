/** What `cancelpoint check` was asked for, as the command line says it. */
import type { EngineName } from '../types.js'

export interface CheckFlags {
  file?: string[]
  lab?: boolean
  engine: EngineName | 'auto'
  timeout: number
  retries: number
  concurrency: number
  rate?: number
  halfOpen?: boolean
  allAddresses?: boolean
  tls?: boolean
  servername?: string
  close?: 'reset' | 'fin'
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}
