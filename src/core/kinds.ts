/** What options may be, and one clear error for what they may not: it names the option, what came and what was expected. */
import { show } from './invalid-target.js'
import { nearest } from './nearest.js'

export interface Kind {
  readonly expected: string
  readonly allows: (value: unknown) => boolean
  readonly Failure: RangeErrorConstructor | TypeErrorConstructor
}

export type Kinds = Readonly<Record<string, Kind>>

export function kind(expected: string, allows: (value: unknown) => boolean): Kind {
  return { expected, allows, Failure: TypeError }
}

export function numberKind(expected: string, allows: (value: number) => boolean): Kind {
  return { expected, allows: (value) => typeof value === 'number' && allows(value), Failure: RangeError }
}

export function wholeNumber(from: number, to: number): Kind {
  const allows = (value: number) => Number.isInteger(value) && value >= from && value <= to
  return numberKind(`a whole number from ${from} to ${to}`, allows)
}

export const objectKind = (example: string): Kind => kind(`an object such as ${example}`, isObject)

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws RangeError or TypeError. What throws when it is looked at is of no kind. */
export function requireKind(name: string, value: unknown, { expected, allows, Failure }: Kind): void {
  if (!isOf(value, allows)) throw new Failure(`${name} is ${show(value)}: expected ${expected}`)
}

function isOf(value: unknown, allows: Kind['allows']): boolean {
  try {
    return allows(value)
  } catch {
    return false
  }
}

/** Each option that is given, if `kinds` knows it. `prefix`: what leads to them, such as `retry.`. */
export function requireKinds(options: object, kinds: Kinds, prefix = ''): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && Object.hasOwn(kinds, name)) requireKind(prefix + name, value, kinds[name]!)
  }
}

/** What to write instead of a name that is not known; undefined where nobody can say. */
export type Hint = (name: string, known: readonly string[]) => string | undefined

/**
 * No others but those, whatever their value: a slip in a name must not be ignored.
 * @throws TypeError that names it, where it stands, and what to write instead.
 */
export function requireNames(where: string, options: object, known: readonly string[], hint: Hint = nearestHint): void {
  const slip = Object.keys(options).find((each) => !known.includes(each))
  if (slip === undefined) return
  throw new TypeError(`${where} has ${show(slip)}: ${hint(slip, known) ?? `expected one of ${known.join(', ')}`}`)
}

export function nearestHint(name: string, known: readonly string[]): string | undefined {
  const near = nearest(name, known)
  return near && `did you mean ${near}?`
}

/**
 * A plain copy of what a caller gave, with nothing but what `kinds` knows. Its own enumerable properties count, and each is
 * read once, here: a getter cannot say something else later, and one that throws is refused like a wrong value.
 * @throws RangeError or TypeError that names the option.
 */
export function settled<Options extends object>(
  where: string,
  options: Options,
  kinds: Kinds,
  { example, hint = nearestHint }: { example: string; hint?: Hint },
): Options {
  requireKind(where, options, objectKind(example))
  const copy = copyOf(where, options)
  requireNames(where, copy, Object.keys(kinds), hint)
  requireKinds(copy, kinds)
  return copy
}

/** @throws TypeError where a getter or a Proxy throws. */
export function copyOf<T extends object>(where: string, given: T): T {
  try {
    return { ...given }
  } catch (cause) {
    throw new TypeError(`${where} cannot be read, for reading it threw ${show(cause)}: expected a plain object`, {
      cause,
    })
  }
}
