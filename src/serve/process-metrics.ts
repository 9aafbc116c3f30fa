/** What this process itself takes, with the names that Prometheus's own clients have. */
import { readdir } from 'node:fs/promises'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { performance } from '../core/clock.js'
import { type Family, seconds } from '../core/exposition.js'

export interface ProcessFigures {
  readonly descriptors: number
  readonly residentBytes: number
  readonly cpuSeconds: number
  readonly startedAt: number
  /** Of the last minute or so. */
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

const resolutionMs = 20
const windowMs = 60_000

export class ProcessMeter {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs })
  #resetAt = performance.now()

  constructor() {
    this.#delay.enable()
  }

  async figures(): Promise<ProcessFigures> {
    const { user, system } = process.cpuUsage()
    return {
      // Less the one that the look itself takes.
      descriptors: (await readdir('/proc/self/fd')).length - 1,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1_000_000,
      startedAt: Math.round(globalThis.performance.timeOrigin),
      loopDelayMs: this.#loopDelay(),
    }
  }

  end(): void {
    this.#delay.disable()
  }

  /** The timer's own interval is no delay. */
  #loopDelay(): ProcessFigures['loopDelayMs'] {
    const delay = this.#delay
    const over = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1_000_000 - resolutionMs) : 0)
    const hasAny = delay.max > 0
    const told = hasAny
      ? { p50: over(delay.percentile(50)), p99: over(delay.percentile(99)), max: over(delay.max) }
      : { p50: 0, p99: 0, max: 0 }
    if (performance.now() - this.#resetAt > windowMs) {
      delay.reset()
      this.#resetAt = performance.now()
    }
    return told
  }
}

const gauge = (name: string, help: string, value: (figures: ProcessFigures) => number): Family<ProcessFigures> => ({
  name,
  help,
  type: 'gauge',
  samples: (figures, add) => add(value(figures)),
})

export const processFamilies: readonly Family<ProcessFigures>[] = [
  gauge('process_open_fds', 'Descriptors that this process has open.', ({ descriptors }) => descriptors),
  gauge(
    'process_resident_memory_bytes',
    'Memory of this process that is in RAM.',
    ({ residentBytes }) => residentBytes,
  ),
  gauge('process_start_time_seconds', 'When this process began, in unixtime.', ({ startedAt }) => seconds(startedAt)),
  {
    name: 'process_cpu_seconds',
    help: 'CPU time that this process took.',
    type: 'counter',
    samples: ({ cpuSeconds }, add) => add(cpuSeconds),
  },
  ...(['p50', 'p99', 'max'] as const).map((which) =>
    gauge(
      `nodejs_eventloop_lag_${which}_seconds`,
      `How late the event loop was, of the last minute or so: ${which}.`,
      ({ loopDelayMs }) => seconds(loopDelayMs[which]),
    ),
  ),
]
