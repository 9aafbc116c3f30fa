/** What a watch tells people: a change in a line, and a summary in a line. */
import { styleText } from 'node:util'
import { printable } from '../../core/text.js'
import type { CheckResult, HealthChange, WatchSummary } from '../../types.js'

/** `2026-11-26 17:01:02`, in local time. */
export function clockTime(at: number): string {
  const time = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}

const colours = { up: 'green', down: 'red', unknown: 'yellow' } as const

export function changeLine({ target, labels, from, to, at, since, last }: HealthChange, colour: boolean): string {
  const state = colour ? styleText(colours[to], to) : to
  const named = Object.entries(labels ?? {}).map(([name, value]) => `${name}=${value}`)
  const what = [target, ...(named.length > 0 ? [`(${named.join(', ')})`] : [])].join(' ')
  const before = from === 'unknown' ? '' : `it was ${from} for ${lengthOf(at - since)}`
  const parts = [clockTime(at), printable(what), state, printable(whyOf(last)), before]
  return parts.filter((part) => part !== '').join('  ')
}

function whyOf({ status, code, errnoClass, reason }: CheckResult): string {
  return status === 'up' ? '' : [code, errnoClass && `(${errnoClass})`, reason].filter(Boolean).join(' ')
}

export function summaryLine(
  { up, down, unknown, latenessMs, frozenWhy, lostChanges }: WatchSummary,
  at: number,
): string {
  const counts = `${number(up)} up, ${number(down)} down${unknown > 0 ? `, ${number(unknown)} unknown` : ''}`
  const late = `99 of 100 checks began within ${lengthOf(latenessMs.p99)} of when they were due`
  const frozen = frozenWhy === undefined ? [] : [`states are kept: ${frozenWhy}`]
  const lost = lostChanges > 0 ? [`${number(lostChanges)} changes were lost`] : []
  return [`${clockTime(at)}  ${counts}`, late, ...frozen, ...lost].join('; ')
}

const number = (value: number): string => value.toLocaleString('en')

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** `2 h 3 min`, `4 s`, `12 ms`: the two largest units. */
export function lengthOf(ms: number): string {
  const whole = Math.round(ms)
  const at = units.findIndex(([, size]) => whole >= size)
  if (at < 0) return `${whole} ms`
  const [unit, size] = units[at]!
  const next = units[at + 1]
  const rest = next ? Math.floor((whole % size) / next[1]) : 0
  return `${Math.floor(whole / size)} ${unit}${rest > 0 ? ` ${rest} ${next![0]}` : ''}`
}
