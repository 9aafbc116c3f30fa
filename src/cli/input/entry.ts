/** What sources of targets hand on: words with where they stand and what they share, and what could not be read. */
import { getSystemErrorMap } from 'node:util'

import type { OwnSettings } from '../../check/planned-target.js'

/** Where something stands, for people and records; an argument stands nowhere. `line` and `column` count from 1. */
export interface Place {
  file?: string
  line?: number
  column?: number
}

/** Something in the input that is not a target. */
export interface Problem extends Place {
  /** `targets.txt:7`, `standard input:7` or `targets.json:7:3`; undefined for an argument, which the message names. */
  where: string | undefined
  message: string
  /** Each of them that was to be a target; none where a whole source cannot be read. An endless line is one, and empty. */
  words: readonly BadWord[]
}

export interface BadWord {
  text: string
  message: string
}

/** What the targets of one group share: one object each for all of them. */
export interface Group {
  labels?: Readonly<Record<string, string>> | undefined
  own?: OwnSettings | undefined
}

/** Words of one place, each a target or a range. */
export interface Entry {
  words: readonly string[]
  /** Asked only where something is wrong. */
  place: () => Place
  group?: Group | undefined
  /** Of a line that is too long to hold. */
  bad?: readonly BadWord[]
}

export const isProblem = (given: Entry | Problem): given is Problem => 'message' in given

export function problemAt(place: Place, message: string, words: readonly BadWord[] = []): Problem {
  const parts = [place.file, place.line, place.column].filter((part) => part !== undefined)
  return { where: parts.length > 0 ? parts.join(':') : undefined, message, words, ...place }
}

/** Of a system call that failed, in words: what Node.js says has the path in it, as it came. */
export function reasonOf(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? message
}
