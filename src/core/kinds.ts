/** What options may be, and one clear error for what they may not: it names the option, what came and what was expected. */
import { show } from './invalid-target.js'

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

/** @throws RangeError or TypeError. */
export function requireKind(name: string, value: unknown, { expected, allows, Failure }: Kind): void {
  if (!allows(value)) throw new Failure(`${name} is ${show(value)}: expected ${expected}`)
}

/** Each option that is given, if `kinds` knows it; the others are nobody's here. `prefix`: what leads to them, such as `retry.`. */
export function requireKinds(options: object, kinds: Kinds, prefix = ''): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && Object.hasOwn(kinds, name)) requireKind(prefix + name, value, kinds[name]!)
  }
}

/** No others but those: a slip in a name must not be ignored. */
export function requireNames(name: string, options: object, known: readonly string[]): void {
  const slip = Object.keys(options).find((each) => !known.includes(each))
  if (slip !== undefined) throw new TypeError(`${name} has ${show(slip)}: expected one of ${known.join(', ')}`)
}
