/** The table of formats, and which of them was asked for. */
import { UsageError } from '../exit-code.js'
import { CsvFormat } from './csv.js'
import type { Format, FormatName, Surroundings } from './format.js'
import { JsonFormat } from './json.js'
import { JunitFormat } from './junit.js'
import { NagiosFormat } from './nagios.js'
import { PrometheusFormat } from './prometheus.js'
import { TableFormat } from './table.js'

export const formats: Readonly<Record<FormatName, new (out: Surroundings) => Format>> = {
  table: TableFormat,
  json: JsonFormat,
  csv: CsvFormat,
  junit: JunitFormat,
  nagios: NagiosFormat,
  prometheus: PrometheusFormat,
}

/** @throws UsageError where two are asked for */
export function formatNameOf({ json, format }: { json?: boolean; format?: FormatName }): FormatName {
  if (json && format !== undefined && format !== 'json') {
    throw new UsageError(`--json and --format ${format} ask for two formats: give one of them`)
  }
  return format ?? (json ? 'json' : 'table')
}
