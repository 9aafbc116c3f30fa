/** What a format of results is: one file a format implements it, and formats.ts lists them. */
import type { CheckResult } from '../../types.js'
import type { Problem } from '../input.js'
import type { Interruption } from '../report.js'
import type { Summary } from '../summary.js'

export const formatNames = ['table', 'json', 'csv', 'junit', 'nagios', 'prometheus'] as const
export type FormatName = (typeof formatNames)[number]

/** Results as text on standard output. Its methods are called one after the other, in this order, each awaited. */
export interface Format {
  /** It is for people: it shows failures as they come, and an interruption, itself. */
  readonly forPeople?: true
  /** It writes while the check runs, not only at its end. */
  readonly streams?: true
  /** `earlier`: it was told by the run that --resume goes on with. */
  result(result: CheckResult, earlier?: boolean): Promise<void> | void
  /** Words of the input that are no targets, or a source that cannot be read. Standard error has told it already. */
  problem(problem: Problem): Promise<void> | void
  /** After the last result, of an interrupted check too. */
  end(ending: Ending): Promise<void>
  /** Where the format has exit codes of its own. */
  exitCode?(ending: Ending): number
}

export interface Ending {
  /** What the results add up to; problems of the input are not in it. */
  summary: Summary
  elapsedMs: number
  /** Where the check was cancelled. */
  interruption: Interruption | undefined
}

/** What a format writes with, and what it has to know of the check. */
export interface Surroundings {
  /** Standard output. Resolves once more may be written, or once nobody is left to write for. */
  write(text: string): Promise<void>
  /** A line for people, on standard error. */
  note(line: string): Promise<void>
  /** Clears the line of a progress bar for something that is written to the same terminal. */
  makeRoom(): void
  /** Bare connections are ended by a reset. */
  resets: boolean
  quiet?: boolean
  verbose?: boolean
  /** A target may have several results, one for each address. */
  allAddresses?: boolean
}
