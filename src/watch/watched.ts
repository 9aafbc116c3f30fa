/** One target that is watched: what is known of it, and when it is due. */
import type { PlannedTarget } from '../check/planned-target.js'
import { hashOf } from '../core/hash.js'
import { type Health, unheard } from '../core/health.js'
import { Due } from '../core/schedule.js'
import type { CheckResult, TargetHealth } from '../types.js'
import type { Entry } from './settings.js'

export class Watched extends Due {
  readonly key: string
  readonly isCanary: boolean
  /** What jitter is made from. */
  readonly hash: number
  planned: PlannedTarget
  intervalMs: number | undefined
  health: Health
  last: CheckResult | undefined
  /** When the check that was started last was due. */
  startDueAt = 0
  started = 0
  skipped = 0
  isUnderWay = false
  /** It is on the list no more: what its check under way comes to is dropped. */
  isGone = false

  constructor({ key, planned, intervalMs }: Entry, isCanary: boolean, at: number) {
    super()
    this.key = key
    this.hash = hashOf(key)
    this.isCanary = isCanary
    this.planned = planned
    this.intervalMs = intervalMs
    this.health = unheard(at)
  }

  get target(): string {
    return this.planned.target.text
  }

  tell(): TargetHealth {
    const { planned, health, last, skipped } = this
    return {
      target: this.target,
      ...(planned.labels && { labels: planned.labels }),
      state: health.state,
      since: health.since,
      inARow: health.inARow,
      ...(last && { last }),
      skipped,
    }
  }
}
