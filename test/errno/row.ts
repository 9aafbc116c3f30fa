/** A row of the errno table, and what its cells are made of. */
import type { classify } from 'cancelpoint'
import type { Sockets } from '../support/sockets.mjs'
import {
  type Asked,
  type Managers,
  type Observation,
  observe,
  observeCompletion,
  observeConnect,
  observeOpen,
  type Prepare,
  type Result,
  resultOf,
} from './observe.mjs'

type Engine = keyof Managers

/**
 * How a column observes the errno, a manager's for each engine, and where the result differs from the row's; or why it
 * cannot come that way. What is expected of one engine is expected of the other.
 */
export type Cell =
  | string
  | { observe: (engine: Engine) => Observation | Promise<Observation>; differs?: Partial<Result> | undefined }

/** The documented function on a descriptor of either mode, and a manager. */
export type Column = 'blocking' | 'nonblocking' | 'manager'

export type Row = {
  code: string
  errnoClass: ReturnType<typeof classify>
  /** The recipe, in words. */
  how: string
  /** Why it cannot run on this machine. */
  skip?: string | undefined
  /** The errno is injected at the seam: no kernel was found to give it. */
  injected?: boolean
} & Record<Column, Cell>

export const ownDescriptors = 'a manager connects only new descriptors of its own'
export const waitsForOutcome = 'a manager waits for the outcome'

/** posix.connect on descriptors of both modes. */
export function connects(prepare: Prepare): { blocking: Cell; nonblocking: Cell } {
  return { blocking: connectsBlocking(prepare), nonblocking: { observe: () => observeConnect(prepare, true) } }
}

export function connectsBlocking(prepare: Prepare): Cell {
  return { observe: () => observeConnect(prepare, false) }
}

/** The same where a nonblocking connect says EINPROGRESS, and poll and SO_ERROR tell the rest. */
export function connectsInBackground(prepare: Prepare): { blocking: Cell; nonblocking: Cell } {
  return {
    blocking: connectsBlocking(prepare),
    nonblocking: { observe: () => observeCompletion(prepare), differs: { first: 'EINPROGRESS' } },
  }
}

/** One call that has no mode. */
export function calls(syscall: string, call: (sockets: Sockets) => unknown): { blocking: Cell; nonblocking: Cell } {
  return {
    blocking: { observe: () => observe((sockets) => resultOf(() => call(sockets))), differs: { syscall } },
    nonblocking: `${syscall} has no modes`,
  }
}

export function opens(
  managers: Managers,
  prepare: (sockets: Sockets) => Asked | Promise<Asked>,
  differs?: Partial<Result>,
): Cell {
  return { observe: (engine) => observeOpen(managers[engine], prepare), differs }
}

/** Asked for once, for every test that wants the answer. */
export function asked<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}
