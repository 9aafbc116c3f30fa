/** What option values look like. Commander puts the option's name before each message. */
import { InvalidArgumentError } from 'commander'

const unitMs = { ms: 1, s: 1000, m: 60_000 } as const

/** `500ms`, `3s`, `1.5s`, `2m`: milliseconds, whole, from 1 to `maxMs`. */
export function durationUpTo(maxMs: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text)
    if (!match) throw new InvalidArgumentError('Expected a duration such as 500ms, 3s or 2m.')
    const milliseconds = Math.round(Number(match[1]) * unitMs[match[2] as keyof typeof unitMs])
    if (milliseconds < 1 || milliseconds > maxMs) {
      throw new InvalidArgumentError(`Expected 1ms to ${maxMs / unitMs.m}m.`)
    }
    return milliseconds
  }
}

/** A whole number from 1 to `max`. */
export function countUpTo(max: number): (text: string) => number {
  return (text) => {
    const count = /^\d+$/.test(text) ? Number(text) : 0
    if (count < 1 || count > max) throw new InvalidArgumentError(`Expected a whole number from 1 to ${max}.`)
    return count
  }
}
