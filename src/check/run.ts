/** What the targets of one check share. */
import type { Means } from '../call/call.js'
import type { Calls } from '../call/calls.js'
import type { Cancellation } from '../call/cancellation.js'
import type { Gate } from '../call/gate.js'
import type { CheckSettings } from '../call/settings.js'

export interface CheckRun {
  readonly calls: Calls
  readonly means: Means
  readonly settings: CheckSettings
  /** The same for a target of which one attempt is the whole check: no attempt may take longer than its target. */
  readonly alone: CheckSettings
  /** Where targets wait for the check's own limits, if it has any, before the clock of any call runs. */
  readonly gate: Gate | undefined
  /** Ends the whole check. */
  readonly cancellation: Cancellation
}
