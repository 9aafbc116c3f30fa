/** Targets by their labels: how many of each value are up, down and unknown. Pure, and bounded: a label that is a name has no groups. */
import type { State } from './health.js'

export interface GroupsLimits {
  /** Labels that are told, in the order in which they are met. */
  readonly labels: number
  /** A label with more values than this groups nothing. */
  readonly values: number
}

type Counts = Record<State, number>

export interface Group {
  label: string
  /** '' for targets without it. Those with the most trouble first. */
  values: ({ value: string } & Counts)[]
}

export class Groups {
  readonly #limits: GroupsLimits
  readonly #byLabel = new Map<string, Map<string, Counts> | undefined>()
  readonly #all: Counts = { up: 0, down: 0, unknown: 0 }

  constructor(limits: GroupsLimits) {
    this.#limits = limits
  }

  add(labels: Readonly<Record<string, string>> | undefined, state: State): void {
    this.#all[state] += 1
    for (const label in labels) {
      const known = this.#byLabel.get(label)
      if (known) this.#count(label, known, labels[label]!, state)
      else if (!this.#byLabel.has(label) && this.#byLabel.size < this.#limits.labels) {
        const values = new Map<string, Counts>()
        this.#byLabel.set(label, values)
        this.#count(label, values, labels[label]!, state)
      }
    }
  }

  tell(): Group[] {
    return [...this.#byLabel].flatMap(([label, values]) => (values ? [{ label, values: this.#valuesOf(values) }] : []))
  }

  #count(label: string, values: Map<string, Counts>, value: string, state: State): void {
    let counts = values.get(value)
    if (!counts) {
      if (values.size >= this.#limits.values) {
        this.#byLabel.set(label, undefined)
        return
      }
      counts = { up: 0, down: 0, unknown: 0 }
      values.set(value, counts)
    }
    counts[state] += 1
  }

  #valuesOf(values: ReadonlyMap<string, Counts>): Group['values'] {
    const without = { value: '', ...this.#all }
    const all = [...values].map(([value, counts]) => ({ value, ...counts }))
    for (const { up, down, unknown } of all) {
      without.up -= up
      without.down -= down
      without.unknown -= unknown
    }
    const empty = all.find(({ value }) => value === '')
    if (empty) for (const state of ['up', 'down', 'unknown'] as const) empty[state] += without[state]
    else if (without.up + without.down + without.unknown > 0) all.push(without)
    return all.sort((a, b) => b.down - a.down || b.unknown - a.unknown || (a.value < b.value ? -1 : 1))
  }
}
