/** How long a target took. */
import { epochMs } from '../../core/clock.js'
import { durationMsOf as durationUntil } from '../../core/probe-metrics.js'
import type { CheckResult } from '../../types.js'

/** Milliseconds. Of an `earlier` result it is not known any more when it came: what counts is its phases. */
export const durationMsOf = (result: CheckResult, earlier = false): number =>
  durationUntil(result, earlier ? result.startedAt : epochMs())
