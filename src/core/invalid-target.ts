import { nameErrors } from './error-name.js'
import { printable } from './text.js'

const shownAtMost = 120

/** Something written that is no target or address. The message names it, what is wrong with it, what was expected, and what to do. */
export class InvalidTargetError extends Error {
  static {
    nameErrors(InvalidTargetError, 'InvalidTargetError')
  }

  readonly code = 'ERR_INVALID_TARGET'

  /**
   * @param given as written, of any type; shown shortened and safe to show
   * @param wrong what is wrong with it and what was expected, as a clause
   * @param remedy what to write instead, as a clause
   */
  constructor(given: unknown, wrong: string, remedy: string) {
    super(`${show(given)} is not a target: ${wrong}; ${remedy}`)
  }
}

/** For messages: strings in quotes, the rest as text; shortened, and safe to show. Never throws. */
export function show(given: unknown): string {
  const text = typeof given === 'string' ? given : toText(given)
  const short = text.length > shownAtMost ? `${text.slice(0, shownAtMost)}…` : text
  return printable(typeof given === 'string' ? `'${JSON.stringify(short).slice(1, -1).replaceAll('\\"', '"')}'` : short)
}

/** What is no string, objects much as JSON has them and no more of them than a message shows. Never throws. */
export function toText(given: unknown): string {
  try {
    return typeof given === 'object' ? textOf(given, 0) : String(given)
  } catch {
    // A revoked Proxy, a getter or a toString that throws.
    return `${typeof given === 'function' ? 'a function' : 'an object'} that cannot be read`
  }
}

const depthAtMost = 2
const membersAtMost = 20

function textOf(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, shownAtMost))
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`
  if (depth > depthAtMost) return '…'
  if (Array.isArray(value)) return `[${listed(value, (member) => textOf(member, depth + 1))}]`
  const names = Object.keys(value).filter((name) => isData(value[name as never]))
  const className = value.constructor?.name ?? 'Object'
  const members = listed(names, (name) => `${JSON.stringify(name)}:${textOf(value[name as never], depth + 1)}`)
  return `${className === 'Object' ? '' : `${className} `}{${members}}`
}

function listed<T>(members: readonly T[], text: (member: T) => string): string {
  const shown = members.slice(0, membersAtMost).map(text)
  return (members.length > membersAtMost ? [...shown, '…'] : shown).join(',')
}

/** JSON leaves out the same. */
const isData = (value: unknown) => !['function', 'symbol', 'undefined'].includes(typeof value)
