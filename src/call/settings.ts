/** A call's options, checked once and with every default filled in: what the layers below the public face work with. */
import * as limits from '../core/limits.js'
import type { CheckOptions, ConnectOptions } from '../types.js'

export interface CallSettings extends ConnectOptions {
  timeoutMs: number
  attemptTimeoutMs: number
  /** Of a name only the address that comes first by preference is tried. Default false. */
  firstAddressOnly?: boolean | undefined
  /** When the next of a name's addresses is tried beside the last: RFC 8305's Connection Attempt Delay. Default 250 ms. */
  attemptDelayMs?: number | undefined
  /** A lack of this machine is waited out, and the attempt repeated. Default true. */
  patient?: boolean | undefined
}

/** Those of a check: one for all its targets. */
export interface CheckSettings extends CallSettings, Pick<CheckOptions, CheckOnly> {}

type CheckOnly = Exclude<keyof CheckOptions, keyof ConnectOptions>

export const connectDefaults: CallSettings = {
  timeoutMs: limits.callTimeoutMs,
  attemptTimeoutMs: limits.attemptTimeoutMs,
}

export const checkDefaults: CheckSettings = {
  timeoutMs: limits.callTimeoutMs,
  attemptTimeoutMs: limits.checkAttemptTimeoutMs,
  retry: false,
}

/** `options` over `defaults`, neither of which is changed; one that is there but undefined hides no default. */
export function settle<Settings extends CallSettings>(defaults: Settings, options: CheckOptions | undefined): Settings {
  const names = options ? (Object.keys(options) as (keyof CheckOptions)[]) : []
  if (names.length === 0) return defaults
  const settled = { ...defaults } as Record<string, unknown>
  for (const name of names) {
    const value = options![name]
    if (value !== undefined) settled[name] = value
  }
  return settled as unknown as Settings
}
