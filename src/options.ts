/** Checks of what a caller passes in: one clear error that names the option, what came and what was expected. */

/** A duration: above 0; Infinity is no limit. */
export function requireMs(name: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value === 'number' && value > 0) return
  throw new RangeError(`${name} is ${describe(value)}: expected milliseconds above 0, or Infinity for no limit`)
}

export function requireCount(name: string, value: unknown, atMost: number): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= atMost) return
  throw new RangeError(`${name} is ${describe(value)}: expected a whole number from 1 to ${atMost}`)
}

export function requireEngine(value: unknown): void {
  if (value === undefined || value === 'auto' || value === 'blocking') return
  throw new TypeError(`engine is ${describe(value)}: expected 'blocking' or 'auto'`)
}

const describe = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value))
