/** A watch's options with every default filled in, and its targets read. */
import { type CheckSettings, checkDefaults } from '../call/settings.js'
import { type Checkable, isCheckTarget, type OwnSettings, PlannedTarget } from '../check/planned-target.js'
import { scriptOf } from '../check/script.js'
import type { Intervals, Rules } from '../core/health.js'
import * as limits from '../core/limits.js'
import { type ReadTarget, readTarget, type Target } from '../core/target.js'
import { keyOf } from '../core/target-key.js'
import { settledWatchTarget } from '../options.js'
import type { WatchOptions, WatchTarget } from '../types.js'

export interface WatchSettings extends CheckSettings, Intervals, Rules, Pick<WatchOptions, 'canaries' | 'states'> {
  jitter: number
}

export const watchDefaults: WatchSettings = {
  ...checkDefaults,
  intervalMs: limits.watchIntervalMs,
  rise: limits.rise,
  fall: limits.fall,
  jitter: limits.jitter,
}

/** What a watch takes: what a check takes, and an interval. */
export type Watchable = Checkable | WatchTarget

/** One target to watch, read and checked. */
export interface Entry {
  readonly key: string
  readonly planned: PlannedTarget
  readonly intervalMs: number | undefined
}

/** @throws InvalidTargetError, or a TypeError or RangeError that names what is wrong in a WatchTarget. */
export function entryOf(given: Watchable): Entry {
  if (PlannedTarget.is(given)) return entry(given, undefined)
  if (!isCheckTarget(given)) return entry(new PlannedTarget(readTarget(given as Target | ReadTarget)), undefined)
  const { target, labels, intervalMs, ...own } = settledWatchTarget(given)
  if (own.steps) scriptOf(own.steps)
  return entry(new PlannedTarget(readTarget(target), ownOf(own), labels), intervalMs)
}

function entry(planned: PlannedTarget, intervalMs: number | undefined): Entry {
  return { key: keyOf(planned.target.text, planned.labels), planned, intervalMs }
}

/** Undefined where it gives nothing: then it shares the watch's own run. */
const ownOf = (own: OwnSettings): OwnSettings | undefined => (Object.keys(own).length > 0 ? own : undefined)
