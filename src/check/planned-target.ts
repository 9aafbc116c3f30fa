/** A target of a check together with what it gives itself, which goes before the check's options. */

import type { CheckSettings } from '../call/settings.js'
import { toText } from '../core/invalid-target.js'
import { formatTarget, ReadTarget, readTarget, type Target } from '../core/target.js'
import { settledCheckTarget } from '../options.js'
import type { CheckTarget } from '../types.js'

/** Only what a target gives: an option that is absent is the check's. */
export type OwnSettings = Pick<
  Partial<CheckSettings>,
  'steps' | 'tls' | 'timeoutMs' | 'tryTimeoutMs' | 'attemptTimeoutMs' | 'minCertificateDays'
>

/** Read and checked: nobody has to read it again. Targets of one group share their `own` and their `labels`. */
export class PlannedTarget {
  readonly #planned = true
  readonly target: ReadTarget
  readonly own: OwnSettings | undefined
  readonly labels: CheckTarget['labels']

  constructor(target: ReadTarget, own?: OwnSettings, labels?: CheckTarget['labels']) {
    this.target = target
    this.own = own
    this.labels = labels
  }

  /** As given. */
  get text(): string {
    return this.target.text
  }

  static is(given: unknown): given is PlannedTarget {
    return typeof given === 'object' && given !== null && #planned in given
  }
}

/** What a check takes: a target as people write it, with or without what is done to it, or one that was read already. */
export type Checkable = Target | CheckTarget | ReadTarget | PlannedTarget

/** @throws InvalidTargetError, or a TypeError or RangeError that names what is wrong in a CheckTarget. */
export function planned(given: Checkable): ReadTarget | PlannedTarget {
  if (PlannedTarget.is(given)) return given
  if (!isCheckTarget(given)) return readTarget(given)
  const { target, labels, ...own } = settledCheckTarget(given)
  return new PlannedTarget(readTarget(target), own, labels)
}

/** As given, for a result. Never throws. */
export function textOf(given: Checkable): string {
  if (typeof given === 'string') return given
  if (PlannedTarget.is(given)) return given.text
  try {
    return isCheckTarget(given) ? formatTarget(given.target) : toText(given)
  } catch {
    return toText(given)
  }
}

/** Asked of the object alone. One that throws is no CheckTarget, and readTarget says what is wrong with it. */
export function isCheckTarget(given: unknown): given is CheckTarget {
  if (typeof given !== 'object' || given === null || ReadTarget.is(given)) return false
  try {
    return 'target' in given
  } catch {
    return false
  }
}
