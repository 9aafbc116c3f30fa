/** What a check does to a target: connect, then perhaps TLS, send, expect. Nothing is left open when a probe settles. */
import { Descriptor } from '../bridge/descriptor.js'
import type { Call } from '../call/call.js'
import { probe as connectProbe, establish } from '../call/connect.js'
import type { CheckSettings } from '../call/settings.js'
import type { Endpoint } from '../core/endpoint.js'
import { Conversation, type Spoken } from './conversation.js'
import { scriptOf } from './script.js'
import { requireUsable } from './tls-context.js'
import { TryTime } from './try-time.js'

/** Resolves to the endpoint that took the connect, and tells `spoken` what it learnt. Rejects as the call's work does. */
export type Probe = (call: Call, spoken: Spoken) => Promise<Endpoint>

/** Whether a probe does more than connect. */
export const speaks = ({ tls, steps }: CheckSettings): boolean =>
  Boolean(tls) || (steps !== undefined && steps.length > 0)

export function probeFor(settings: CheckSettings): Probe {
  return speaks(settings) ? speakingProbe(settings) : connectProbe
}

function speakingProbe(settings: CheckSettings): Probe {
  const { tls, steps = [], close = 'fin', minCertificateDays, timeoutMs, tryTimeoutMs = timeoutMs } = settings
  const script = scriptOf(steps)
  const tlsOptions = tls === true ? {} : tls
  if (tlsOptions) requireUsable('tls', tlsOptions)
  for (const [index, step] of script.entries())
    if (step.kind === 'starttls') requireUsable(`steps[${index}].starttls`, step.tls)
  return async (call, spoken) => {
    // An earlier try may have told some.
    for (const told of ['certificate', 'step', 'stepsMs', 'tlsMs'] as const) delete spoken[told]
    const time = new TryTime(call, tryTimeoutMs)
    let conversation: Conversation | undefined
    try {
      const descriptor = new Descriptor((await establish(call)).claim)
      const { fd } = descriptor
      conversation = new Conversation(descriptor.adopt(), fd, call, spoken, time)
      if (tlsOptions) await conversation.secure(tlsOptions, minCertificateDays)
      await conversation.follow(script, minCertificateDays)
      conversation.throwIfLate()
    } catch (error) {
      await conversation?.close()
      call.cancellation.throwIfRequested()
      conversation?.throwIfLate()
      throw error
    } finally {
      time.end()
    }
    // The verdict stands: no deadline may change it while the connection is ended.
    call.deadline.end()
    await conversation.end(close)
    return call.endpoint!
  }
}
