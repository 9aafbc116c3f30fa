/** What a check is to do by the flags of its probe. */
import { presetSteps } from '../check/presets/index.js'
import { statusRanges } from '../check/presets/statuses.js'
import { scriptOf } from '../check/script.js'
import type { CheckOptions } from '../types.js'
import { UsageError } from './exit-code.js'
import type { Config } from './input/config.js'
import type { ProbeFlags } from './probe-flags.js'

export type ProbeOptions = Pick<CheckOptions, 'tls' | 'steps' | 'minCertificateDays'>

/** @throws UsageError for flags that exclude each other. With a configuration, its probes say what speaks TLS. */
export function probeOptionsOf(flags: ProbeFlags, config?: Config): ProbeOptions {
  const { starttls, probe, servername, certMinDays } = flags
  const own = flags.send ?? flags.expect ?? []
  if (probe && own.length > 0)
    throw new UsageError('--probe and --send or --expect exclude each other: give one of them')
  if (probe && starttls && probe !== starttls)
    throw new UsageError(`--probe ${probe} and --starttls ${starttls} are of two protocols: give the same to both`)
  if (flags.expectStatus !== undefined && probe !== 'http')
    throw new UsageError('--expect-status is for --probe http: add that')
  const named = servername === undefined ? undefined : { servername }
  const statuses = flags.expectStatus === undefined ? undefined : statusRanges(flags.expectStatus)
  requirePatterns(own)
  const steps = [...presetSteps({ probe, starttls, tls: named, statuses }), ...own]
  const wantsCertificate = certMinDays !== undefined && config === undefined
  const speaksTls = !starttls && (flags.tls || named !== undefined || wantsCertificate)
  const days = certMinDays ?? config?.minCertificateDays
  const hasCertificates = speaksTls || starttls !== undefined
  if (days !== undefined && !hasCertificates && !config?.speaksTls) {
    const given = certMinDays === undefined ? `${config!.daysPlace}: certMinDays` : '--cert-min-days'
    throw new UsageError(
      `${given} is given, and nothing speaks TLS: add tls or starttls to a probe of the configuration, or --tls`,
    )
  }
  return {
    ...(speaksTls && { tls: named ?? true }),
    ...(steps.length > 0 && { steps }),
    ...(days !== undefined && hasCertificates && { minCertificateDays: days }),
  }
}

function requirePatterns(steps: NonNullable<CheckOptions['steps']>): void {
  try {
    scriptOf(steps)
  } catch (error) {
    throw new UsageError(`--send and --expect: ${(error as Error).message}`)
  }
}
