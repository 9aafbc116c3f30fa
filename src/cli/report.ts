/** A check's results as people read them: a table, what they add up to, and what each kind of failure means. */
import { styleText } from 'node:util'

import { advise } from '../core/errno.js'
import { printable, sentence } from '../core/text.js'
import type { CheckResult } from '../types.js'
import type { Place } from './input/entry.js'
import type { Problem } from './input.js'
import { type SharedEndpoint, SharedEndpoints } from './shared-endpoints.js'
import { type FailureCount, type Latency, Summary } from './summary.js'
import { table, wrapped } from './table.js'

export interface RenderOptions {
  colour: boolean
  elapsedMs: number
  /** Of the terminal that shows it; undefined: lines may be of any length. */
  columns?: number | undefined
  /** The check was cancelled: the results are what there was until then. */
  interruption?: Interruption | undefined
  /** Every target that is not up has been told already, as it was found. */
  told?: boolean
}

/** What a cancelled check has no result of. */
export interface Interruption {
  /** Taken up: in flight, or waiting for their turn. */
  cutOff: number
  /** Undefined where it is not known: input that can be read only once, or that is very long. */
  notBegun: number | undefined
}

/** Rows in the table at most; a shorter check is shown whole, of a longer one only what is not up. */
export const maxRows = 40

const maxTargetWidth = 60
const minTargetWidth = 20

export class Report {
  readonly summary = new Summary()
  readonly #first: CheckResult[] = []
  /** By kind, so that one kind that is frequent does not hide the others. */
  readonly #failed = new Map<string, CheckResult[]>()
  readonly #reset: SharedEndpoints | undefined

  /** `resets`: the check ends its connections by a reset. */
  constructor({ resets = false } = {}) {
    if (resets) this.#reset = new SharedEndpoints()
  }

  add(result: CheckResult): void {
    this.summary.add(result)
    this.#reset?.add(result)
    if (this.#first.length < maxRows) this.#first.push(result)
    if (result.status !== 'up') this.#addFailed(result)
  }

  render(options: RenderOptions): string {
    const { summary } = this
    const { columns } = options
    const sections: (string | undefined)[] = [
      this.#table(options),
      wrapped(headline(summary, options), columns, '  '),
      latencyLines(summary.latency, columns),
      classLines(summary.failures, columns),
      failureSentences(summary.failures, columns),
      resetSentence(this.#reset?.busiest, columns),
    ]
    return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`
  }

  #table({ colour, columns, told }: RenderOptions): string | undefined {
    const { total, counts } = this.summary
    const whole = total <= maxRows
    if (told && !whole) return undefined
    const rows = whole ? this.#first : fairShare([...this.#failed.values()], maxRows)
    if (rows.length === 0) return undefined
    const cells = rows.map((result) => rowOf(result, colour, targetWidth(columns)))
    const text = table([['TARGET', 'STATUS', 'CONNECT', 'WHY'], ...cells], columns)
    if (whole) return text
    const notUp = counts.down + counts.unknown
    const more = notUp > rows.length ? `${thousands(notUp - rows.length)} more not up and ` : ''
    const hint = `--verbose prints every one that is not up, --json prints every result.`
    return `${text}\n${wrapped(`  Not shown: ${more}${thousands(counts.up)} up. ${hint}`, columns, '  ')}`
  }

  #addFailed(result: CheckResult): void {
    const kind = `${result.errnoClass} ${result.code}`
    const rows = this.#failed.get(kind)
    if (rows === undefined) this.#failed.set(kind, [result])
    else if (rows.length < maxRows) rows.push(result)
  }
}

/** At most `size` items, taken from every list in turn and shown list by list. */
function fairShare<T>(lists: readonly (readonly T[])[], size: number): T[] {
  const shares = lists.map(() => 0)
  let left = Math.min(
    size,
    lists.reduce((sum, { length }) => sum + length, 0),
  )
  for (let turn = 0; left > 0; turn = (turn + 1) % lists.length) {
    if (shares[turn]! === lists[turn]!.length) continue
    shares[turn]! += 1
    left -= 1
  }
  return lists.flatMap((list, index) => list.slice(0, shares[index]))
}

function rowOf(result: CheckResult, colour: boolean, width: number): string[] {
  return [
    clipped(printable(result.target), width),
    colour ? styleText(statusColour[result.status], result.status) : result.status,
    result.status === 'up' && result.connectMs !== undefined ? milliseconds(result.connectMs) : '-',
    result.status === 'up' ? '' : whyOf(result),
  ]
}

const whyOf = ({ code, errnoClass }: CheckResult): string =>
  printable([code, errnoClass && `(${errnoClass})`].filter((part) => part !== undefined).join(' '))

/** What the other columns leave for targets: two spaces of indent, STATUS, CONNECT, and a WHY of common length. */
const targetWidth = (columns = Number.POSITIVE_INFINITY): number =>
  Math.max(
    minTargetWidth,
    Math.min(maxTargetWidth, columns - '  '.length - '  STATUS'.length - '  1234 ms '.length - 27),
  )

/** A result in one line, whole: what `--verbose` prints. */
export const lineOf = (result: CheckResult): string =>
  printable([result.target, result.status, whyOf(result), result.reason].filter((part) => part).join('  '))

/** A bad line of the input, or a source that cannot be read. */
export const problemLine = ({ where, message }: Problem): string =>
  printable(where === undefined ? message : `${where}: ${message}`)

/** The records of a problem: one for each word that is no target, with where it stood. */
export function recordsOf({ words, file, line, column }: Problem): (CheckResult & Place)[] {
  const place = {
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  }
  return words.map(({ text, message }) => ({
    target: text,
    status: 'unknown',
    code: 'ERR_INVALID_TARGET',
    errnoClass: 'misuse',
    reason: sentence(message),
    attempts: 0,
    startedAt: Date.now(),
    ...place,
  }))
}

const statusColour = { up: 'green', down: 'red', unknown: 'yellow' } as const

function headline({ total, counts }: Summary, { elapsedMs, interruption }: RenderOptions): string {
  const unknown = counts.unknown > 0 ? `, ${thousands(counts.unknown)} unknown` : ''
  const seconds = `${(elapsedMs / 1000).toFixed(elapsedMs < 10_000 ? 2 : 0)} s`
  const what = `${thousands(total)} ${total === 1 ? 'target' : 'targets'} checked in ${seconds}`
  const counted = `${thousands(counts.up)} up, ${thousands(counts.down)} down${unknown}`
  return interruption ? `Interrupted: ${what}: ${counted}; ${interruptionText(interruption)}` : `${what}: ${counted}`
}

/** `256 cut off, 800 not begun`. */
export function interruptionText({ cutOff, notBegun }: Interruption): string {
  const rest = notBegun === undefined ? 'what was left of the input not begun' : `${thousands(notBegun)} not begun`
  return `${thousands(cutOff)} cut off, ${rest}`
}

function latencyLines(latency: Latency | undefined, columns?: number): string | undefined {
  if (latency === undefined) return undefined
  const { p50, p90, p99, max } = latency
  return `Time to connect, of those up\n${table([['p50', 'p90', 'p99', 'max'], [p50, p90, p99, max].map(milliseconds)], columns)}`
}

function classLines(failures: readonly FailureCount[], columns?: number): string | undefined {
  if (failures.length === 0) return undefined
  const rows = [...new Set(failures.map(({ errnoClass }) => errnoClass))].map((errnoClass) => {
    const kinds = failures.filter((failure) => failure.errnoClass === errnoClass)
    const count = kinds.reduce((sum, kind) => sum + kind.count, 0)
    return [
      printable(errnoClass),
      thousands(count),
      kinds.map((kind) => `${printable(kind.code)} ${thousands(kind.count)}`).join(', '),
    ]
  })
  return `Not up, by errno class\n${table(rows, columns)}`
}

function failureSentences(failures: readonly FailureCount[], columns?: number): string | undefined {
  if (failures.length === 0) return undefined
  return failures
    .map((failure) => wrapped(`${printable(failure.code)}: ${adviceOn(failure)}`, columns, '  '))
    .join('\n')
}

function resetSentence(busiest: SharedEndpoint | undefined, columns?: number): string | undefined {
  if (busiest === undefined) return undefined
  const ended = `${thousands(busiest.count)} connections to ${printable(busiest.endpoint)} were ended by a reset.`
  return wrapped(`${ended} Some servers log, count or ban that: --close fin ends them politely.`, columns, '  ')
}

/** Codes whose results say themselves what was wrong; the table could only say that something was. */
const inOwnWords = new Set(['ERR_CHECK', 'ERR_INVALID_TARGET'])

/** What a failure means and what a person can do about it. */
function adviceOn({ code, errnoClass, reason }: FailureCount): string {
  const known = inOwnWords.has(code) ? undefined : advise(code, errnoClass)
  if (known) return `${known.means} ${known.remedy}`
  return reason === undefined ? 'no more is known about it.' : printable(reason)
}

/** At most `width` UTF-16 units, no character halved. Both ends stay: hosts of one kind differ at the start, and the port is at the end. */
export function clipped(text: string, width: number): string {
  if (text.length <= width) return text
  const end = Math.floor((width - 1) / 3)
  const [head, tail] = [text.slice(0, width - 1 - end), text.slice(-end)]
  return `${head.replace(/[\ud800-\udbff]$/, '')}…${tail.replace(/^[\udc00-\udfff]/, '')}`
}

const milliseconds = (value: number): string => `${value < 100 ? value.toFixed(2) : value.toFixed(0)} ms`

const thousands = (value: number): string => value.toLocaleString('en')
