/** What people read: the machine, a table a scenario, and every figure beside its aim. */
import { table } from '../src/cli/table.js'
import type { Result } from './harness.js'
import type { Machine } from './machine.js'
import type { Column, Scenario } from './scenario.js'
import type { Spread } from './statistics.js'
import type { FigureResult, Summary } from './summary.js'

export function machineText(machine: Machine): string {
  const { cpu, cores, memoryMiB, kernel, libc, node, cancelpoint, compiler, load } = machine
  return table([
    ['machine', `${cpu}, ${cores} cores, ${memoryMiB.toLocaleString('en')} MiB`],
    ['kernel', kernel],
    ['runtime', `Node.js ${node}, ${libc}, cancelpoint ${cancelpoint}`],
    ['compiler', compiler],
    ['load before', load.toFixed(2)],
  ])
}

export function scenarioText(scenario: Scenario, result: Result, summary: Summary): string {
  const header = ['', ...scenario.columns.map(({ title, unit }) => (unit ? `${title}, ${unit}` : title))]
  const rows = summary.contestants.map(({ name, values }) => [
    name,
    ...scenario.columns.map((column) => cell(column, values)),
  ])
  const missing = [
    ...Object.entries(result.skipped).map(([name, reason]) => `  skipped: ${name}: ${reason}`),
    ...Object.entries(result.failed).map(([name, reason]) => `  FAILED: ${name}: ${reason}`),
  ]
  return [
    `${scenario.name}  (${rounds(result)})`,
    scenario.about,
    ...(rows.length > 0 ? [table([header, ...rows])] : []),
    ...missing,
    ...result.notes.map((note) => `  ${note}`),
  ].join('\n')
}

export function figuresText(summaries: readonly Summary[]): string {
  const rows = summaries
    .flatMap(({ figures }) => figures)
    .map((figure) => [
      figure.says,
      figure.value === undefined ? 'not measured' : `${spread(figure.value, figure.digits)} ${figure.unit}`.trim(),
      figure.aim ?? '',
      verdict(figure),
    ])
  return table([['FIGURE', 'MEDIAN (LEAST TO MOST)', 'AIM', ''], ...rows])
}

/** Of a quick run none. */
const verdict = ({ met }: FigureResult): string => (met === undefined ? '' : met ? 'met' : 'not met')

const rounds = ({ rounds: { length } }: Result): string =>
  length === 1 ? '1 round' : `${length} rounds: median (least to most)`

/** What a contestant has no number for stays empty. */
const cell = ({ key, digits = 0 }: Column, { [key]: value }: Record<string, Spread>): string =>
  value ? spread(value, digits) : ''

function spread({ median, min, max }: Spread, digits: number): string {
  const [middle, least, most] = [median, min, max].map((value) => number(value, digits))
  return least === most ? middle! : `${middle} (${least} to ${most})`
}

const number = (value: number, digits: number): string =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
