/** The lines of a journal: which result a line is, which target it belongs to, and whether a line was cut in the middle of a write. */
import { jsonLine } from '../../core/text.js'
import type { CheckResult } from '../../types.js'

/** `more`: the next line is of the same target, which has a result for each of its addresses. */
export type JournalRecord = CheckResult & { more?: true }

/** A result, or undefined where the line is none. */
export function recordOf(line: string): JournalRecord | undefined {
  let value: Partial<JournalRecord> | null
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { target, status, attempts, startedAt, labels, more } = value
  const whole = typeof target === 'string' && typeof attempts === 'number' && typeof startedAt === 'number'
  if (!whole || !['up', 'down', 'unknown'].includes(status!) || ![true, undefined].includes(more)) return undefined
  return labels === undefined || areLabels(labels) ? (value as JournalRecord) : undefined
}

const areLabels = (labels: unknown): boolean =>
  typeof labels === 'object' && labels !== null && Object.values(labels).every((label) => typeof label === 'string')

/** Every line that is written begins so. */
const beginning = '{"target":'

/** The target first: by its first characters a line is known that was cut in the middle of a write. */
export function journalLine({ target, ...rest }: CheckResult, more: boolean): string {
  return `${jsonLine({ target, ...rest, ...(more && { more }) })}\n`
}

/**
 * Whether a last line without an end is what is left of a line of ours. A file system may have put NULs in the place of what
 * it had not written when the power failed.
 */
export function isTorn(tail: string): boolean {
  const text = tail.replace(/\0+$/, '')
  return text.startsWith(beginning) || beginning.startsWith(text)
}

/** No target at all: it is told anew by every run that reads it, and no journal has it. */
export const isOfNoTarget = ({ code }: CheckResult): boolean => code === 'ERR_INVALID_TARGET'
