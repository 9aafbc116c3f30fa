const shownAtMost = 120

/** Something written that is no target or address. The message names it, what was expected, and what to do. */
export class InvalidTargetError extends Error {
  static {
    InvalidTargetError.prototype.name = 'InvalidTargetError'
  }

  readonly code = 'ERR_INVALID_TARGET'

  /** @param given as written, of any type; shown shortened and with control characters escaped */
  constructor(given: unknown, expected: string, remedy: string) {
    super(`${show(given)} is not a target: expected ${expected}; ${remedy}`)
  }
}

/** For messages: strings in quotes, the rest as text; shortened, with control characters escaped. */
export function show(given: unknown): string {
  const text = typeof given === 'string' ? given : toText(given)
  const short = text.length > shownAtMost ? `${text.slice(0, shownAtMost)}…` : text
  return typeof given === 'string' ? `'${JSON.stringify(short).slice(1, -1).replaceAll('\\"', '"')}'` : short
}

/** What is no string, objects as JSON where they have any. Never throws. */
export function toText(given: unknown): string {
  if (typeof given !== 'object') return String(given)
  try {
    return JSON.stringify(given) ?? String(given)
  } catch {
    return Object.prototype.toString.call(given)
  }
}
