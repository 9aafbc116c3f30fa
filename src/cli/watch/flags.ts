/** What `cancelpoint watch` was asked for, as the command line says it. */
import type { EngineName } from '../../types.js'
import type { FamilyFlags } from '../family-flags.js'
import type { ProbeFlags } from '../probe-flags.js'

/** Where the page and the metrics are served. */
export interface Listen {
  host: string
  port: number
}

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
  state?: string
  webhook?: string
  webhookSecretFile?: string
  listen?: Listen
  probeAllow?: string[]
  seriesAtMost: number
  json?: boolean
  quiet?: boolean
}
