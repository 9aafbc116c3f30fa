/** Waits that may be in vain. */
import type { Call } from '../call/call.js'
import { performance } from '../core/clock.js'

/** No more than half of what is left of the call's time, so that the wait alone fails no target. */
export function shareOf({ settings, startedAt }: Call, waitMs: number): number {
  return Math.min(waitMs, (settings.timeoutMs - (performance.now() - startedAt)) / 2)
}
