/** A check's results as people read them: a table, what they add up to, and what each kind of failure means. */
import { styleText } from 'node:util'

import { advise } from '../core/errno.js'
import { printable } from '../core/text.js'
import type { CheckResult } from '../types.js'
import { type FailureCount, type Latency, Summary } from './summary.js'
import { table } from './table.js'

export interface RenderOptions {
  colour: boolean
  elapsedMs: number
  /** The check was cancelled: the results are what there was until then. */
  interrupted?: boolean
}

/** Rows in the table at most; a shorter check is shown whole, of a longer one only what is not up. */
export const maxRows = 40

const maxTargetWidth = 60

export class Report {
  readonly summary = new Summary()
  readonly #first: CheckResult[] = []
  /** By kind, so that one kind that is frequent does not hide the others. */
  readonly #failed = new Map<string, CheckResult[]>()

  add(result: CheckResult): void {
    this.summary.add(result)
    if (this.#first.length < maxRows) this.#first.push(result)
    if (result.status !== 'up') this.#addFailed(result)
  }

  render(options: RenderOptions): string {
    const { summary } = this
    const sections: (string | undefined)[] = [
      this.#table(options),
      headline(summary, options),
      latencyLines(summary.latency),
      classLines(summary.failures),
      failureSentences(summary.failures),
    ]
    return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`
  }

  #table({ colour }: RenderOptions): string | undefined {
    const { total, counts } = this.summary
    const whole = total <= maxRows
    const rows = whole ? this.#first : fairShare([...this.#failed.values()], maxRows)
    if (rows.length === 0) return undefined
    const text = table([['TARGET', 'STATUS', 'CONNECT', 'WHY'], ...rows.map((result) => rowOf(result, colour))])
    if (whole) return text
    const notUp = counts.down + counts.unknown
    const more = notUp > rows.length ? `${thousands(notUp - rows.length)} more not up and ` : ''
    return `${text}\n  Not shown: ${more}${thousands(counts.up)} up. cancelpoint check --json prints every result.`
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

function rowOf(result: CheckResult, colour: boolean): string[] {
  const why = [result.code, result.errnoClass === undefined ? undefined : `(${result.errnoClass})`]
  return [
    clipped(printable(result.target)),
    colour ? styleText(statusColour[result.status], result.status) : result.status,
    result.status === 'up' && result.connectMs !== undefined ? milliseconds(result.connectMs) : '-',
    result.status === 'up' ? '' : why.filter((part) => part !== undefined).join(' '),
  ]
}

const statusColour = { up: 'green', down: 'red', unknown: 'yellow' } as const

function headline({ total, counts }: Summary, { elapsedMs, interrupted }: RenderOptions): string {
  const unknown = counts.unknown > 0 ? `, ${thousands(counts.unknown)} unknown` : ''
  const seconds = `${(elapsedMs / 1000).toFixed(elapsedMs < 10_000 ? 2 : 0)} s`
  const what = `${thousands(total)} ${total === 1 ? 'target' : 'targets'} checked in ${seconds}`
  const counted = `${thousands(counts.up)} up, ${thousands(counts.down)} down${unknown}`
  return `${interrupted ? 'Interrupted: ' : ''}${what}: ${counted}`
}

function latencyLines(latency: Latency | undefined): string | undefined {
  if (latency === undefined) return undefined
  const { p50, p90, p99, max } = latency
  return `Time to connect, of those up\n${table([
    ['p50', 'p90', 'p99', 'max'],
    [p50, p90, p99, max].map(milliseconds),
  ])}`
}

function classLines(failures: readonly FailureCount[]): string | undefined {
  if (failures.length === 0) return undefined
  const rows = [...new Set(failures.map(({ errnoClass }) => errnoClass))].map((errnoClass) => {
    const kinds = failures.filter((failure) => failure.errnoClass === errnoClass)
    const count = kinds.reduce((sum, kind) => sum + kind.count, 0)
    return [errnoClass, thousands(count), kinds.map((kind) => `${kind.code} ${thousands(kind.count)}`).join(', ')]
  })
  return `Not up, by errno class\n${table(rows)}`
}

function failureSentences(failures: readonly FailureCount[]): string | undefined {
  if (failures.length === 0) return undefined
  return failures.map((failure) => `${failure.code}: ${sentence(failure)}`).join('\n')
}

/** Codes whose results say themselves what was wrong; the table could only say that something was. */
const inOwnWords = new Set(['ERR_CHECK', 'ERR_INVALID_TARGET'])

/** What a failure means and what a person can do about it. */
function sentence({ code, errnoClass, reason }: FailureCount): string {
  const known = inOwnWords.has(code) ? undefined : advise(code, errnoClass)
  if (known) return `${known.means} ${known.remedy}`
  return reason === undefined ? 'no more is known about it.' : printable(reason)
}

const clipped = (text: string): string =>
  text.length > maxTargetWidth ? `${text.slice(0, maxTargetWidth - 1)}…` : text

const milliseconds = (value: number): string => `${value < 100 ? value.toFixed(2) : value.toFixed(0)} ms`

const thousands = (value: number): string => value.toLocaleString('en')
