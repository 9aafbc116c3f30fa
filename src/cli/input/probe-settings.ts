/** What a configuration says that is done to targets, as a check takes it. */
import type { ConnectionOptions } from 'node:tls'

import type { OwnSettings } from '../../check/planned-target.js'
import { presetSteps } from '../../check/presets/index.js'
import type { PresetName, StarttlsName } from '../../check/presets/names.js'
import { statusRanges } from '../../check/presets/statuses.js'
import type { ProbeStep } from '../../types.js'

export interface ProbeSettings {
  /** False where the check's own TLS is not for these targets. */
  tls?: boolean | ConnectionOptions | undefined
  /** Asked for and verified in TLS, which it implies. */
  servername?: string | undefined
  /** The protocol in which TLS is asked for. */
  starttls?: StarttlsName | undefined
  /** The protocol that is spoken, and what is expected in it. */
  preset?: PresetName | undefined
  /** With the preset http: `200`, `2xx`, or several with commas. */
  expectStatus?: string | undefined
  steps?: readonly ProbeStep[] | undefined
}

export function ownSettingsOf(settings: ProbeSettings): OwnSettings {
  const { starttls, preset, expectStatus, steps = [] } = settings
  const asked = tlsOf(settings)
  const statuses = expectStatus === undefined ? undefined : statusRanges(expectStatus)
  const script = [
    ...presetSteps({ probe: preset, starttls, tls: typeof asked === 'object' ? asked : undefined, statuses }),
    ...steps,
  ]
  // STARTTLS begins in plain text, whatever is asked of the other targets.
  const beginsPlain = starttls !== undefined || steps.some((step) => 'starttls' in step)
  const tls = beginsPlain ? false : asked
  return { ...(tls !== undefined && { tls }), ...((script.length > 0 || settings.steps) && { steps: script }) }
}

function tlsOf({ tls, servername }: ProbeSettings): OwnSettings['tls'] {
  if (servername === undefined) return tls
  return typeof tls === 'object' ? { ...tls, servername } : { servername }
}
