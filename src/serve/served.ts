/** The watch that is served, with what is remembered of it. */
import { epochMs } from '../core/clock.js'
import type { Watch } from '../watch/watch.js'
import type { Record } from './record.js'

export class Served {
  readonly watch: Watch
  readonly record: Record
  readonly seriesAtMost: number
  readonly version: string

  constructor(watch: Watch, record: Record, seriesAtMost: number, version: string) {
    this.watch = watch
    this.record = record
    this.seriesAtMost = seriesAtMost
    this.version = version
  }

  /** /api/summary, and the event of that name. */
  summary(): object {
    const { record, version } = this
    record.forgetGone()
    const { checks, changes, startedAt } = record
    const summary = this.watch.summary()
    const targets = summary.up + summary.down + summary.unknown
    return { at: epochMs(), targets, ...summary, checks, changes, startedAt, version }
  }
}
