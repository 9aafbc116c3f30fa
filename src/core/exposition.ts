/**
 * What Prometheus reads: its text format 0.0.4, and OpenMetrics 1.0. Labels, values and heads of metrics. Names of labels are those
 * of the target where Prometheus allows them, and values can be anything that can be shown.
 */
import { printable } from './text.js'

export type Dialect = 'text' | 'openmetrics'

export const contentTypes: Readonly<Record<Dialect, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export type Labels = Readonly<Record<string, string>>

/** One metric, and how its samples are told of a `Subject`: a target, a result, a process. */
export interface Family<Subject> {
  /** Of a counter without `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter' | 'summary'
  /** `add`: labels of the sample's own as `phase="tls"`, or nothing. A value that is undefined is no sample. */
  samples(subject: Subject, add: (value: number | undefined, labels?: string) => void): void
}

/** The lines before a metric's samples. */
export function headOf({ name, help, type }: Pick<Family<never>, 'name' | 'help' | 'type'>, dialect: Dialect): string {
  const full = dialect === 'text' && type === 'counter' ? `${name}_total` : name
  const text = help
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/"/g, dialect === 'text' ? '"' : '\\"')
  return `# HELP ${full} ${text}\n# TYPE ${full} ${type}\n`
}

/** The samples that a family has of a subject, `series` being the labels of the subject. */
export function linesOf<Subject>(family: Family<Subject>, subject: Subject, series = ''): string {
  const name = family.type === 'counter' ? `${family.name}_total` : family.name
  let text = ''
  family.samples(subject, (value, labels = '') => {
    if (value === undefined) return
    const all = series && labels ? `${series},${labels}` : series || labels
    text += all ? `${name}{${all}} ${written(value)}\n` : `${name} ${written(value)}\n`
  })
  return text
}

/** A metric with its samples of one subject; nothing where it has none. */
export function familyText<Subject>(family: Family<Subject>, subject: Subject, dialect: Dialect): string {
  const lines = linesOf(family, subject)
  return lines && headOf(family, dialect) + lines
}

/** What comes after the last metric. */
export const endOf = (dialect: Dialect): string => (dialect === 'openmetrics' ? '# EOF\n' : '')

function written(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

/** To nanoseconds: a quotient of two floating-point numbers has digits that nobody measured. */
export const seconds = <T extends number | undefined>(ms: T): T =>
  (ms === undefined ? ms : Number((ms / 1000).toFixed(9))) as T

/** OpenMetrics where the Accept header of a scrape would rather have it; the text format for everybody else. */
export function dialectFor(accept: string | undefined): Dialect {
  let best: { dialect: Dialect; quality: number } = { dialect: 'text', quality: 0 }
  for (const range of (accept ?? '').slice(0, 1_024).split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const dialect = dialects.get(type)
    if (!dialect || !parameters.every((each) => !each.startsWith('version=') || versions[dialect].test(each))) continue
    const quality = Number(parameters.find((each) => each.startsWith('q='))?.slice(2) ?? 1)
    if (quality > best.quality) best = { dialect, quality }
  }
  return best.dialect
}

const dialects: ReadonlyMap<string, Dialect> = new Map([
  ['application/openmetrics-text', 'openmetrics'],
  ['text/plain', 'text'],
  ['*/*', 'text'],
])
const versions: Readonly<Record<Dialect, RegExp>> = {
  openmetrics: /^version="?1\.0\.0"?$/,
  text: /^version="?0\.0\.4"?$/,
}

/** Ours, and two that Prometheus keeps for histograms and summaries. A target's own goes by `exported_`, as in Prometheus itself. */
const taken = ['target', 'state', 'phase', 'code', 'errno_class', 'le', 'quantile']

/** `target="a:1",env="prod"`: what tells one series from another. `address` where a target has a series for each. */
export function seriesOf(target: string, labels: Labels | undefined, address?: string): string {
  const first = labelText('target', target) + (address === undefined ? '' : `,${labelText('address', address)}`)
  const others = labels && labelsText(labels, address === undefined ? taken : [...taken, 'address'])
  return others ? `${first},${others}` : first
}

/** A target's own labels, as they stand in its series. */
export function labelsText(labels: Labels, reserved: readonly string[] = taken): string {
  return named(labels, reserved)
    .map(([name, value]) => labelText(name, value))
    .join(',')
}

/** `name="value"`, whatever the value has in it. */
export const labelText = (name: string, value: string): string => `${name}="${escaped(printable(value))}"`

/** What ends a value, and the backslash before it. No end of a line gets here. */
export const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&')

/** By name. To Prometheus an empty label is none. Of two names that become the same, the first in order keeps it. */
function named(labels: Labels, reserved: readonly string[]): [string, string][] {
  const names = Object.keys(labels).filter((name) => labels[name] !== '')
  const legal = names.filter((name) => nameOf(name, reserved) === name)
  const used = new Set<string>()
  const fresh = (name: string): string => {
    let free = name
    for (let number = 2; used.has(free); number += 1) free = `${name}_${number}`
    used.add(free)
    return free
  }
  const others = names.filter((name) => !legal.includes(name))
  return [...legal.sort(), ...others.sort()].map((name) => [fresh(nameOf(name, reserved)), labels[name]!])
}

/** Letters, digits and underscores, not a digit first; names with two underscores first are Prometheus's own. */
function nameOf(name: string, reserved: readonly string[]): string {
  if (name !== '_' && !/[A-Za-z0-9]/.test(name)) return 'label'
  const legal = name.replace(/[^A-Za-z0-9_]/gu, '_').replace(/^(?=\d)/, '_')
  if (legal.startsWith('__')) return `label${legal}`
  return reserved.includes(legal) ? `exported_${legal}` : legal
}
