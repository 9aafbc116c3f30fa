/**
 * The lines of a file of states: a header with the version, then a state a line, in JSON. A later line of a target goes before an
 * earlier one. Pure.
 */
import { isObject } from './kinds.js'

export interface SavedState {
  readonly target: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly state: 'up' | 'down'
  /** Milliseconds since the epoch. */
  readonly since: number
}

export const stateVersion = 1

export const headerLine = `${JSON.stringify({ cancelpoint: 'states', version: stateVersion })}\n`

/** With its end. Undefined where nothing is known. */
export function stateLine({
  target,
  labels,
  state,
  since,
}: Omit<SavedState, 'state'> & { state: string }): string | undefined {
  if (state === 'unknown') return undefined
  return `${JSON.stringify({ target, ...(labels && { labels }), state, since })}\n`
}

export type StateLine =
  | { kind: 'header'; version: unknown }
  | { kind: 'state'; state: SavedState }
  | { kind: 'damaged' }

const damaged: StateLine = { kind: 'damaged' }

/** Without its end. */
export function readStateLine(text: string): StateLine {
  // What was lost in reading could be another target.
  if (text.includes('\ufffd')) return damaged
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return damaged
  }
  if (!isObject(value)) return damaged
  if (value.cancelpoint === 'states') return { kind: 'header', version: value.version }
  const { target, labels, state, since } = value
  if (typeof target !== 'string' || (state !== 'up' && state !== 'down')) return damaged
  if (typeof since !== 'number' || !Number.isFinite(since)) return damaged
  if (labels === undefined) return { kind: 'state', state: { target, state, since } }
  if (!isObject(labels) || Object.values(labels).some((each) => typeof each !== 'string')) return damaged
  return { kind: 'state', state: { target, labels: labels as Record<string, string>, state, since } }
}
