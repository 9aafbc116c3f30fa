/** What the server itself remembers of a watch: counts since it began, and the last results of each target. */
import { epochMs, setImmediate } from '../core/clock.js'
import { labelsText, labelText } from '../core/exposition.js'
import type { State } from '../core/health.js'
import { History } from '../core/history.js'
import { durationMsOf } from '../core/probe-metrics.js'
import { keyOf } from '../core/target-key.js'
import type { CheckResult, HealthChange, TargetHealth } from '../types.js'
import { Watch } from '../watch/watch.js'

type Labels = NonNullable<TargetHealth['labels']>

/** What follows from a target's labels, worked out once. */
interface OfLabels {
  readonly key: string
  readonly series: string
}

const setsAtMost = 1_000

/** Results between two looks at whether targets have gone. */
const notesPerLook = 256

export class Record {
  readonly history = new History()
  readonly startedAt = epochMs()
  readonly checks: Readonly<{ [status in State]: number }>
  readonly changes: Readonly<{ [to in State]: number }>
  readonly #checks = { up: 0, down: 0, unknown: 0 }
  readonly #changes = { up: 0, down: 0, unknown: 0 }
  readonly #watch: Watch
  readonly #ofLabels = new WeakMap<Labels, OfLabels>()
  /** The last ones: targets of one group say the same, be it in one object or in many. */
  readonly #sets = new Map<string, OfLabels>()
  #isSweeping = false
  #notes = 0
  #hasEnded = false

  constructor(watch: Watch) {
    this.#watch = watch
    this.checks = this.#checks
    this.changes = this.#changes
    Watch.onResult(watch, (key, result) => this.#note(key, result))
  }

  changed({ to }: HealthChange): void {
    this.#changes[to] += 1
  }

  keyOf({ target, labels }: Pick<TargetHealth, 'target' | 'labels'>): string {
    return labels ? target + this.#of(labels).key : target
  }

  /** The labels of a target's series. */
  seriesOf({ target, labels }: Pick<TargetHealth, 'target' | 'labels'>): string {
    const own = labels && this.#of(labels).series
    return own ? `${labelText('target', target)},${own}` : labelText('target', target)
  }

  /** Targets on the list. */
  get targets(): number {
    const { up, down, unknown } = this.#watch.summary()
    return up + down + unknown
  }

  end(): void {
    this.#hasEnded = true
    Watch.onResult(this.#watch, () => {})
  }

  #note(key: string, result: CheckResult): void {
    this.#checks[result.status] += 1
    const isNew = this.history.add(key, result.status, result.connectMs, durationMsOf(result, epochMs()))
    // What its labels cost is spread over the first interval, and is not left to the first scrape.
    if (isNew && result.labels) this.#of(result.labels)
    if (isNew || ++this.#notes % notesPerLook === 0) this.forgetGone()
  }

  /** Where another list has come in the meantime, what is not on it is forgotten, bit by bit. */
  forgetGone(): void {
    if (this.#isSweeping || this.#hasEnded || this.history.size <= this.targets) return
    this.#isSweeping = true
    const steps = this.history.sweep(this.#keys())
    const step = () => {
      if (this.#hasEnded || steps.next().done) this.#isSweeping = false
      else setImmediate(step)
    }
    setImmediate(step)
  }

  *#keys(): Generator<string, void, undefined> {
    for (const health of this.#watch.health()) yield this.keyOf(health)
  }

  #of(labels: Labels): OfLabels {
    const known = this.#ofLabels.get(labels)
    if (known) return known
    const key = keyOf('', labels)
    const made = this.#sets.get(key) ?? { key, series: labelsText(labels) }
    if (this.#sets.size >= setsAtMost) this.#sets.clear()
    this.#sets.set(key, made)
    this.#ofLabels.set(labels, made)
    return made
  }
}
