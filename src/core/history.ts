/**
 * The last results of each target: what they said, and how long connect(2) took. Some 310 bytes a target, in arrays that many
 * targets share, so that a hundred thousand are no work for the garbage collector. Pure.
 */
import type { State } from './health.js'
import * as limits from './limits.js'

const { historyLength: length, historyBlock: block } = limits.serve

const marks = ['', 'u', 'd', '?'] as const
const codes: Readonly<Record<State, number>> = { up: 1, down: 2, unknown: 3 }

class Block {
  readonly results = new Uint8Array(block * length)
  readonly connectMs = new Float32Array(block * length)
  /** Where the next result goes. */
  readonly next = new Uint8Array(block)
  readonly durationMs = new Float32Array(block)
  readonly skipped = new Float64Array(block)
  /** The last sweep at which it was still there. */
  readonly seen = new Uint32Array(block)
}

export interface Past {
  /** The oldest first: `u` up, `d` down, `?` unknown. */
  readonly results: string
  /** Of the same results, in milliseconds; null where there was no connection. */
  readonly connectMs: readonly (number | null)[]
}

export class History {
  readonly #slots = new Map<string, number>()
  readonly #blocks: Block[] = []
  readonly #free: number[] = []
  #sweeps = 0
  #skipped = 0

  /** Targets that it knows. */
  get size(): number {
    return this.#slots.size
  }

  /** How often targets were skipped, those that have left included. */
  get skipped(): number {
    return this.#skipped
  }

  /** True where the target is a new one. */
  add(key: string, status: State, connectMs: number | undefined, durationMs: number): boolean {
    const known = this.#slots.get(key)
    const slot = known ?? this.#begin(key)
    const { in: store, at } = this.#place(slot)
    const next = store.next[at]!
    store.results[at * length + next] = codes[status]
    store.connectMs[at * length + next] = connectMs ?? Number.NaN
    store.next[at] = (next + 1) % length
    store.durationMs[at] = durationMs
    store.seen[at] = this.#sweeps
    return known === undefined
  }

  /** A target has been skipped so often in all. */
  noteSkipped(key: string, skipped: number): void {
    const known = this.#slots.get(key)
    if (known === undefined && skipped === 0) return
    const { in: store, at } = this.#place(known ?? this.#begin(key))
    this.#skipped += Math.max(0, skipped - store.skipped[at]!)
    store.skipped[at] = skipped
  }

  /** How long the last check took. */
  durationMs(key: string): number | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    const { in: store, at } = this.#place(slot)
    return rounded(store.durationMs[at]!)
  }

  past(key: string): Past {
    const slot = this.#slots.get(key)
    if (slot === undefined) return { results: '', connectMs: [] }
    const { in: store, at } = this.#place(slot)
    let results = ''
    const connectMs: (number | null)[] = []
    for (let i = 0; i < length; i += 1) {
      const index = at * length + ((store.next[at]! + i) % length)
      const code = store.results[index]!
      if (code === 0) continue
      results += marks[code]
      const ms = store.connectMs[index]!
      connectMs.push(Number.isNaN(ms) ? null : rounded(ms))
    }
    return { results, connectMs }
  }

  /** Forgets all that are not among `keys`, in steps: each one that is taken is a part of the work. */
  *sweep(keys: Iterable<string>): Generator<void, void, undefined> {
    this.#sweeps += 1
    let done = 0
    for (const key of keys) {
      const slot = this.#slots.get(key)
      if (slot !== undefined) {
        const { in: store, at } = this.#place(slot)
        store.seen[at] = this.#sweeps
      }
      if (++done % limits.serve.rowsPerSlice === 0) yield
    }
    for (const [key, slot] of this.#slots) {
      const { in: store, at } = this.#place(slot)
      if (store.seen[at] !== this.#sweeps) this.#end(key, slot)
      if (++done % limits.serve.rowsPerSlice === 0) yield
    }
  }

  #begin(key: string): number {
    const slot = this.#free.pop() ?? this.#slots.size
    if (slot >= this.#blocks.length * block) this.#blocks.push(new Block())
    this.#slots.set(key, slot)
    const { in: store, at } = this.#place(slot)
    store.seen[at] = this.#sweeps
    return slot
  }

  #end(key: string, slot: number): void {
    const { in: store, at } = this.#place(slot)
    store.results.fill(0, at * length, (at + 1) * length)
    store.next[at] = 0
    store.durationMs[at] = 0
    store.skipped[at] = 0
    this.#slots.delete(key)
    this.#free.push(slot)
  }

  #place(slot: number): { in: Block; at: number } {
    return { in: this.#blocks[Math.floor(slot / block)]!, at: slot % block }
  }
}

/** A 32-bit number as the decimals that were put in: to microseconds. */
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000
