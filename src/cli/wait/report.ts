/** What a wait says: one line as it begins, one as it ends, and a table of what was missing. */
import { printable } from '../../core/text.js'
import type { Awaited, Waiting } from '../../core/waiting.js'
import { clipped } from '../report.js'
import { table, wrapped } from '../table.js'

/** Targets that are told by name; and rows of a table. */
const namedAtMost = 5
const rowsAtMost = 40

export function beginning({ goal, targets }: Waiting, timeoutMs: number): string {
  const named = targets.slice(0, namedAtMost).map(({ target }) => printable(target))
  const more = targets.length > named.length ? ` and ${thousands(targets.length - named.length)} more` : ''
  return `cancelpoint: waiting until ${named.join(', ')}${more} ${targets.length === 1 ? 'is' : 'are'} ${goal}, for at most ${seconds(timeoutMs)}`
}

export function ending({ goal, targets, startedAt }: Waiting, now: number): string {
  const [first] = targets
  const which = targets.length === 1 ? `${printable(first!.target)} is` : `all ${thousands(targets.length)} targets are`
  return `cancelpoint: ${which} ${goal}, after ${seconds(now - startedAt)}`
}

export interface ShortfallOptions {
  now: number
  /** Not timed out. */
  interrupted: boolean
  columns: number | undefined
}

/** What was missing and why, and after it what was not. */
export function shortfall(waiting: Waiting, { now, interrupted, columns }: ShortfallOptions): string {
  const { goal, targets, missing, startedAt } = waiting
  const how = `${interrupted ? 'interrupted' : 'timed out'} after ${seconds(now - startedAt)}`
  const which = targets.length === 1 ? 'it' : `${thousands(missing.length)} of ${thousands(targets.length)} targets`
  const verb = missing.length === 1 ? 'was' : 'were'
  const ordered = [...missing, ...targets.filter(({ metAt }) => metAt !== undefined)]
  const rows = ordered.slice(0, rowsAtMost).map((each) => rowOf(each, waiting, now, targetWidth(columns)))
  const sections = [
    wrapped(`cancelpoint: ${how}: ${which} ${verb} not ${goal}`, columns, '  '),
    table([['TARGET', 'STATE', 'WHY', 'WAITED', 'TRIES'], ...rows], columns),
  ]
  if (ordered.length > rowsAtMost) sections.push(`  Not shown: ${thousands(ordered.length - rowsAtMost)} more`)
  return sections.join('\n')
}

function rowOf(awaited: Awaited, { startedAt, goal }: Waiting, now: number, width: number): string[] {
  const { target, tries, last, metAt } = awaited
  // A check calls it down, and still somebody may be there.
  const state =
    goal === 'down' && last?.status === 'down' && metAt === undefined ? 'not down' : (last?.status ?? 'unknown')
  const waited = seconds((metAt ?? now) - startedAt)
  return [clipped(printable(target), width), state, whyOf(awaited, now), waited, String(tries)]
}

/** What the other columns leave for targets: two spaces of indent, STATE, WAITED, TRIES, and a WHY of common width. */
const targetWidth = (columns = Number.POSITIVE_INFINITY): number =>
  Math.max(20, Math.min(60, columns - '  '.length - '  not down'.length - '  WAITED'.length - '  TRIES'.length - 18))

/** The last reason, or that there is none yet. */
function whyOf({ last, tries, tryingSince }: Awaited, now: number): string {
  if (last) return last.status === 'up' ? '-' : printable(`${shortReason(last)}: ${last.reason ?? 'no more is known'}`)
  if (tryingSince !== undefined) return `No answer yet: the first try was under way for ${seconds(now - tryingSince)}.`
  return tries === 0 ? 'Not tried yet.' : 'No answer yet.'
}

/** `ECONNREFUSED (refused)`. */
export function shortReason({ code, errnoClass }: NonNullable<Awaited['last']>): string {
  return [code, errnoClass && `(${errnoClass})`].filter((part) => part !== undefined).join(' ')
}

/** `0.25 s`, `7.3 s`, `75 s`. */
function seconds(milliseconds: number): string {
  const digits = milliseconds < 1_000 ? 2 : milliseconds < 10_000 ? 1 : 0
  return `${Number((milliseconds / 1000).toFixed(digits))} s`
}

const thousands = (value: number): string => value.toLocaleString('en')
