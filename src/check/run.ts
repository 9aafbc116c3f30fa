/** What the targets of one check share. */
import type { Means } from '../call/call.js'
import type { Calls } from '../call/calls.js'
import type { Cancellation } from '../call/cancellation.js'
import type { Gate } from '../call/gate.js'
import { type CheckSettings, settle } from '../call/settings.js'
import { refuseHalfOpenTalk, refuseTwiceTls, refuseVainDays } from '../options.js'
import type { OwnSettings } from './planned-target.js'
import { type Probe, probeFor } from './probe.js'

/** With the options of one target in the place of the check's. */
export function runFor(run: CheckRun, own: OwnSettings | undefined): CheckRun {
  if (!own) return run
  const known = run.others.get(own)
  if (known) return known
  const settings = settle(run.settings, own)
  refuseHalfOpenTalk(settings)
  refuseTwiceTls(settings)
  // One that speaks plain text among others that do not is the check's matter.
  if (own.minCertificateDays !== undefined) refuseVainDays(settings)
  const other = { ...run, settings, alone: aloneOf(settings), probe: probeFor(settings) }
  run.others.set(own, other)
  return other
}

/** No attempt may take longer than its target. */
export function aloneOf(settings: CheckSettings): CheckSettings {
  return { ...settings, attemptTimeoutMs: Math.min(settings.attemptTimeoutMs, settings.timeoutMs) }
}

export interface CheckRun {
  readonly calls: Calls
  readonly means: Means
  readonly settings: CheckSettings
  /** The same for a target of which one attempt is the whole check. */
  readonly alone: CheckSettings
  /** What is done to a target that takes more than one attempt. */
  readonly probe: Probe
  /** Where targets wait for the check's own limits, if it has any, before the clock of any call runs. */
  readonly gate: Gate | undefined
  /** By what targets give themselves, which many may share. */
  readonly others: WeakMap<OwnSettings, CheckRun>
  /** Ends the whole check. */
  readonly cancellation: Cancellation
}
