/** What a check's results add up to. Memory does not grow with their number. */
import { createHistogram } from 'node:perf_hooks'

import type { ErrnoClass } from '../core/errno.js'
import type { CheckResult } from '../types.js'

export interface FailureCount {
  errnoClass: ErrnoClass
  /** 'unknown' where the result names none. */
  code: string
  count: number
  /** What the first of them said. */
  reason?: string | undefined
}

/** Milliseconds. */
export interface Latency {
  p50: number
  p90: number
  p99: number
  max: number
}

export class Summary {
  readonly counts = { up: 0, down: 0, unknown: 0 }
  readonly #failures = new Map<string, FailureCount>()
  // Whole microseconds, three digits kept.
  readonly #connect = createHistogram({ figures: 3 })
  #maxMs = 0

  add(result: CheckResult): void {
    this.counts[result.status] += 1
    if (result.status === 'up') this.#addLatency(result.connectMs)
    else this.#addFailure(result)
  }

  get notUp(): number {
    return this.counts.down + this.counts.unknown
  }

  get total(): number {
    return this.counts.up + this.counts.down + this.counts.unknown
  }

  /** Kinds of failure, the most frequent first. */
  get failures(): FailureCount[] {
    return [...this.#failures.values()].sort((a, b) => b.count - a.count || a.code.localeCompare(b.code))
  }

  /** Time in connect(2) of the targets that are up; undefined if none is. */
  get latency(): Latency | undefined {
    if (this.#connect.count === 0) return undefined
    const at = (percentile: number) => Math.min(this.#connect.percentile(percentile) / 1000, this.#maxMs)
    return { p50: at(50), p90: at(90), p99: at(99), max: this.#maxMs }
  }

  #addLatency(connectMs: number | undefined): void {
    if (connectMs === undefined) return
    this.#connect.record(Math.max(1, Math.round(connectMs * 1000)))
    this.#maxMs = Math.max(this.#maxMs, connectMs)
  }

  #addFailure({ errnoClass = 'unknown', code = 'unknown', reason }: CheckResult): void {
    const key = `${errnoClass} ${code}`
    const known = this.#failures.get(key)
    if (known) known.count += 1
    else this.#failures.set(key, { errnoClass, code, count: 1, reason })
  }
}
