/** How long a target took. */
import { epochMs } from '../../core/clock.js'
import type { CheckResult } from '../../types.js'

/**
 * Milliseconds. Of a target that is up, its phases. Of another one the phase that ended it may have no time of its own, and so it is
 * counted from the beginning until now, when its result has just come; of an `earlier` one that is not known any more.
 */
export function durationMsOf(result: CheckResult, earlier = false): number {
  const { status, attempts, startedAt, nameMs = 0, connectMs = 0, tlsMs = 0, stepsMs = 0 } = result
  const phases = nameMs + connectMs + tlsMs + stepsMs
  return earlier || status === 'up' || attempts === 0 ? phases : Math.max(phases, epochMs() - startedAt)
}
