/**
 * CSV as RFC 4180 has it: a header, one row a result, lines that end in CRLF. Labels are one column, as JSON with its names in
 * order: which labels there are is known only at the end. A text that a spreadsheet would take for a formula gets a quote in
 * front, which spreadsheets take for "this is text".
 */
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import type { Place } from '../input/entry.js'
import type { Problem } from '../input.js'
import { recordsOf } from '../report.js'
import type { Format, Surroundings } from './format.js'

type Row = CheckResult & Place
type Cell = string | number | undefined

const columns: readonly (readonly [name: string, cell: (row: Row) => Cell])[] = [
  ['target', ({ target }) => target],
  ['status', ({ status }) => status],
  ['code', ({ code }) => code],
  ['errnoClass', ({ errnoClass }) => errnoClass],
  ['phase', ({ phase }) => phase],
  ['step', ({ step }) => step],
  ['reason', ({ reason }) => reason],
  ['address', ({ address }) => address],
  ['port', ({ port }) => port],
  ['path', ({ path }) => path],
  ['nameMs', ({ nameMs }) => nameMs],
  ['connectMs', ({ connectMs }) => connectMs],
  ['tlsMs', ({ tlsMs }) => tlsMs],
  ['stepsMs', ({ stepsMs }) => stepsMs],
  ['attempts', ({ attempts }) => attempts],
  ['startedAt', ({ startedAt }) => timestamp(startedAt)],
  ['certificateSubject', ({ certificate }) => certificate?.subject],
  ['certificateIssuer', ({ certificate }) => certificate?.issuer],
  ['certificateValidTo', ({ certificate }) => certificate && timestamp(certificate.validTo)],
  ['certificateDaysLeft', ({ certificate }) => certificate?.daysLeft],
  ['certificateFingerprint256', ({ certificate }) => certificate?.fingerprint256],
  ['labels', ({ labels }) => labels && JSON.stringify(Object.fromEntries(Object.entries(labels).sort(byName)))],
  ['file', ({ file }) => file],
  ['line', ({ line }) => line],
  ['column', ({ column }) => column],
]

export class CsvFormat implements Format {
  readonly streams = true
  readonly #out: Surroundings
  #header = `${columns.map(([name]) => name).join(',')}\r\n`

  constructor(out: Surroundings) {
    this.#out = out
  }

  async result(result: CheckResult, earlier = false): Promise<void> {
    if (!earlier) await this.#write(`${columns.map(([, cell]) => cellText(cell(result))).join(',')}\r\n`)
  }

  async problem(problem: Problem): Promise<void> {
    for (const record of recordsOf(problem)) await this.result(record)
  }

  end(): Promise<void> {
    return this.#write('')
  }

  /** The header is written together with the first row. Written alone, it would find that its reader has left before any target is checked. */
  #write(text: string): Promise<void> {
    const header = this.#header
    this.#header = ''
    return this.#out.write(header + text)
  }
}

/** What begins so is a formula to one spreadsheet or another, the wide forms of East Asian fonts included. */
const formula = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/

/** Whatever else it has, some program might take for the end of a cell. */
const plain = /^[\w.:/@[\]%-]*$/

function cellText(cell: Cell): string {
  if (typeof cell !== 'string') return cell === undefined ? '' : String(cell)
  const text = printable(formula.test(cell) ? `'${cell}` : cell)
  return plain.test(text) ? text : `"${text.replaceAll('"', '""')}"`
}

/** Empty where it is no time that a calendar has. */
const timestamp = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : '')

const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1)
