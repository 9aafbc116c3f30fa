/** /metrics, in parts of which none takes long: each one that is taken is the work of one turn of the event loop. */
import { type Dialect, endOf, type Family, familyText, headOf, linesOf } from '../core/exposition.js'
import * as limits from '../core/limits.js'
import type { Watch } from '../watch/watch.js'
import { type ProcessFigures, processFamilies } from './process-metrics.js'
import type { Record } from './record.js'
import { type Row, targetFamilies, totalFamilies } from './watch-metrics.js'

export interface Scrape {
  readonly watch: Watch
  readonly record: Record
  readonly seriesAtMost: number
  readonly version: string
  readonly dialect: Dialect
  readonly figures: ProcessFigures
}

const { rowsPerSlice } = limits.serve

/** '' is a part that has only been worked on. The states are those at the beginning, all metrics are of the same. */
export function* metricsOf(scrape: Scrape): Generator<string, void, undefined> {
  const { watch, record, version, dialect, figures } = scrape
  const rows: Row[] = []
  yield* gather(scrape, rows)
  record.forgetGone()
  const summary = watch.summary()
  const all = summary.up + summary.down + summary.unknown
  const { checks, changes } = record
  const withoutSeries = Math.max(0, all - rows.length)
  const totals = { summary, withoutSeries, checks, changes, skipped: record.history.skipped, version }
  yield totalFamilies.map((family) => familyText(family, totals, dialect)).join('') +
    processFamilies.map((family) => familyText(family, figures, dialect)).join('')
  for (const family of targetFamilies) yield* samplesOf(family, rows, dialect)
  yield endOf(dialect)
}

/** All targets, or where there are too many, those that are not up. */
function* gather({ watch, record, seriesAtMost }: Scrape, rows: Row[]): Generator<string, void, undefined> {
  const isMany = record.targets > seriesAtMost
  let seen = 0
  for (const health of watch.health()) {
    const key = record.keyOf(health)
    record.history.noteSkipped(key, health.skipped)
    if (!isMany || health.state !== 'up') {
      const durationMs = record.history.durationMs(key) ?? 0
      rows.push({ series: record.seriesOf(health), health, result: health.last, durationMs })
    }
    seen += 1
    if (seen % rowsPerSlice === 0) yield ''
  }
}

/** What many rows say of one metric. Its head comes with its first sample. */
function* samplesOf(family: Family<Row>, rows: readonly Row[], dialect: Dialect): Generator<string, void, undefined> {
  let isHeaded = false
  for (let from = 0; from < rows.length; from += rowsPerSlice) {
    let text = ''
    for (const row of rows.slice(from, from + rowsPerSlice)) text += linesOf(family, row, row.series)
    yield text === '' || isHeaded ? text : headOf(family, dialect) + text
    isHeaded ||= text !== ''
  }
}
