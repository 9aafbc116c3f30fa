/** The errno table with this platform's numbers, and look-ups between names and numbers of either sign. */
import { constants, networkInterfaces } from 'node:os'
import { getSystemErrorMap } from 'node:util'

import type { Advice } from '../core/advice.js'
import { classOf, codes, type ErrnoClass, type ErrnoContext } from '../core/errno.js'
import { kind, objectKind, requireKind, requireNames } from '../core/kinds.js'

const numbers = new Map<string, number>()
const names = new Map<number, string>()

/** Node's own name for a number comes first: EAGAIN, not EWOULDBLOCK. Node's map lacks some, such as EINPROGRESS. */
for (const [errno, [code]] of getSystemErrorMap()) add(code, errno)
for (const [code, number] of Object.entries(constants.errno)) add(code, -number)

function add(code: string, errno: number): void {
  if (!numbers.has(code)) numbers.set(code, errno)
  if (!names.has(errno)) names.set(errno, code)
}

/** The errnos that a connect can end with, those this platform numbers. `errno` is negative. */
export const errnos: ReadonlyMap<string, Readonly<Advice & { errno: number; errnoClass: ErrnoClass }>> = readOnly(
  new Map(
    [...codes]
      .filter(([code]) => numbers.has(code))
      .map(([code, { errnoClass, means, remedy }]) => [
        code,
        Object.freeze({ errno: errnoOf(code), errnoClass, means, remedy }),
      ]),
  ),
)

/** There is one of it, for everybody in the process. */
function readOnly<Key, Value>(map: Map<Key, Value>): ReadonlyMap<Key, Value> {
  const value = () => {
    throw new TypeError('errnos is read-only: make a Map of your own from it, new Map(errnos)')
  }
  return Object.defineProperties(map, { set: { value }, delete: { value }, clear: { value } })
}

/** The class of a code, or of an errno of either sign; `context` tells apart what the code alone does not. */
export function classify(code: string | number, context: ErrnoContext = {}): ErrnoClass {
  requireKind('code', code, codeKind)
  requireKind('context', context, contextKind)
  requireNames('context', context, ['family', 'localFixed', 'familyDisabled', 'call'])
  return classOf(typeof code === 'number' ? codeOf(code) : code, context)
}

const codeKind = kind("a code such as 'ECONNREFUSED' or an errno such as -111", (code) => {
  return typeof code === 'string' || typeof code === 'number'
})
const contextKind = objectKind("{ family: 'unix' }")

/** 'ECONNREFUSED' for 111 and -111; 'ERRNO_4000' for a number that has no name here. */
export function codeOf(errno: number): string {
  const number = Math.abs(errno)
  return names.get(-number) ?? `ERRNO_${number}`
}

/** The negative errno of a code, `ERRNO_4000` included; 0 for a code that is no errno. */
export function errnoOf(code: string): number {
  const unnamed = /^ERRNO_(\d+)$/.exec(code)
  return numbers.get(code) ?? (unnamed ? -Number(unnamed[1]) : 0)
}

/** Whether EADDRNOTAVAIL says that this machine has IPv6 switched off, and not that it is out of ports. */
export function isFamilyDisabled(code: string, family: ErrnoContext['family']): boolean {
  if (code !== 'EADDRNOTAVAIL' || family !== 'inet6') return false
  return !Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.family === 'IPv6'))
}
