/** What option values look like. Commander puts the option's name before each message. */
import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'

import { type Shard, shardsAtMost } from '../core/shard.js'

/** Of one try of a target. */
export const maxTimeoutMs = 10 * 60_000

/** A certificate that lasts for longer is none that anybody makes. */
export const daysAtMost = 10_000

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

/** A whole number from 1, or `min`, to `max`. */
export function countUpTo(max: number, min = 1): (text: string) => number {
  return (text) => {
    const count = /^\d+$/.test(text) ? Number(text) : -1
    if (count < min || count > max) throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    return count
  }
}

/** `500/s`, or `500`: a number a second, above 0. */
export function ratePerSecond(text: string): number {
  const rate = /^\d+(\.\d+)?(\/s)?$/.test(text) ? Number.parseFloat(text) : 0
  if (rate <= 0) throw new InvalidArgumentError('Expected a number a second above 0, such as 500/s.')
  return rate
}

/** `2/5`: the second of five. */
export function shardOf(text: string): Shard {
  const [, index, count] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []
  const shard = { index: Number(index), count: Number(count) }
  if (shard.index >= 1 && shard.index <= shard.count && shard.count <= shardsAtMost) return shard
  throw new InvalidArgumentError('Expected K/N with K from 1 to N, such as 1/3 on the first of three machines.')
}

/** What TLS asks for and verifies. SNI takes names alone: RFC 6066, section 3. */
export function serverName(text: string): string {
  if (text === '' || isIP(text) !== 0 || /[\s:/]/.test(text)) {
    throw new InvalidArgumentError('Expected a host name such as api.internal: TLS asks for no address.')
  }
  return text
}
