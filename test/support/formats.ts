/** A format of results without the command around it, and the readers of what it writes. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CheckResult } from 'cancelpoint'
import type { Ending, FormatName, Surroundings } from '#internal/cli/formats/format'
import { formats } from '#internal/cli/formats/formats'
import type { Problem } from '#internal/cli/input'
import { Summary } from '#internal/cli/summary'

export interface Written {
  text: string
  /** What was said on standard error. */
  notes: string[]
  exitCode: number | undefined
}

export interface Given {
  results?: Iterable<CheckResult>
  /** Of the run that --resume goes on with. */
  earlier?: Iterable<CheckResult>
  problems?: readonly Problem[]
  interruption?: Ending['interruption']
  around?: Partial<Surroundings>
}

export const resultOf = (target: string, rest: Partial<CheckResult> = {}): CheckResult => ({
  target,
  status: 'up',
  attempts: 1,
  startedAt: Date.now(),
  ...rest,
})

export const refused = (target: string, rest: Partial<CheckResult> = {}): CheckResult =>
  resultOf(target, { status: 'down', code: 'ECONNREFUSED', errnoClass: 'refused', reason: 'Nothing listens.', ...rest })

/** What the command would write of these results, with the format's own methods in their order. */
export async function written(name: FormatName, given: Given): Promise<Written> {
  const pieces: string[] = []
  const notes: string[] = []
  const format = new formats[name]({
    write: async (text) => void pieces.push(text),
    note: async (line) => void notes.push(line),
    makeRoom: () => {},
    resets: false,
    ...given.around,
  })
  const summary = new Summary()
  for (const result of given.earlier ?? []) {
    summary.add(result)
    await format.result(result, true)
  }
  for (const problem of given.problems ?? []) await format.problem(problem)
  for (const result of given.results ?? []) {
    summary.add(result)
    await format.result(result)
  }
  const ending = { summary, elapsedMs: 1_234, interruption: given.interruption }
  await format.end(ending)
  return { text: pieces.join(''), notes, exitCode: format.exitCode?.(ending) }
}

/** Why tests with it are skipped, or undefined. Where all has to be there, as in CI, they are not skipped but fail. */
function lackingTool(program: string, debianPackage: string): string | undefined {
  const missing = spawnSync(program, ['--version']).error !== undefined
  return missing && !process.env.CI ? `no ${program} here: install ${debianPackage}` : undefined
}

export const lackingXmllint = lackingTool('xmllint', 'libxml2-utils')
export const lackingPromtool = lackingTool('promtool', 'prometheus')

const schema = fileURLToPath(new URL('junit.xsd', import.meta.url))

/** What xmllint has against a document, by the schema beside this file; empty where that is nothing. */
export function faultsOfJunit(text: string): string {
  const { status, stderr } = spawnSync('xmllint', ['--noout', '--nonet', '--schema', schema, '-'], { input: text })
  return status === 0 ? '' : stderr.toString()
}

/** What `promtool check metrics` has against a file; empty where that is nothing. */
export function faultsOfMetrics(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text })
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`
}

/** Rows of cells, by RFC 4180; throws where the text is not that. */
export function rowsOfCsv(text: string): string[][] {
  const rows: string[][] = []
  for (let at = 0; at < text.length; ) {
    const row: string[] = []
    for (;;) {
      const [whole, quoted, bare = '', end] = cellOf(text, at)
      row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'))
      at += whole.length
      if (end === '\r\n') break
    }
    rows.push(row)
  }
  return rows
}

function cellOf(text: string, at: number): RegExpExecArray {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y
  cell.lastIndex = at
  const found = cell.exec(text)
  if (!found) throw new Error(`no cell at ${at}: ${text.slice(at, at + 80)}`)
  return found
}

/** One object a row, by the names of the header. */
export function recordsOfCsv(text: string): Record<string, string>[] {
  const [header = [], ...rows] = rowsOfCsv(text)
  return rows.map((row) => {
    if (row.length !== header.length) throw new Error(`${row.length} cells in a row of ${header.length}`)
    return Object.fromEntries(row.map((cell, index) => [header[index]!, cell]))
  })
}
