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

function show(given: unknown): string {
  const text = typeof given === 'string' ? given : (toJson(given) ?? String(given))
  const short = text.length > shownAtMost ? `${text.slice(0, shownAtMost)}…` : text
  return typeof given === 'string' ? `'${JSON.stringify(short).slice(1, -1).replaceAll('\\"', '"')}'` : short
}

/** Undefined where there is none: functions, symbols, cycles, big integers. */
export function toJson(given: unknown): string | undefined {
  try {
    return JSON.stringify(given)
  } catch {
    return undefined
  }
}
