/**
 * Health over time, as HAProxy has it: a target's state changes after `fall` results in a row that say down, and after `rise`
 * that say up. `unknown` moves no counter, and the first result that is not unknown decides at once. Pure: it is told results.
 */

export type State = 'unknown' | 'up' | 'down'

export interface Rules {
  /** Results in a row that say up, until a target that was down is up. */
  readonly rise: number
  /** Results in a row that say down, until a target that was up is down. */
  readonly fall: number
}

export interface Health {
  readonly state: State
  /** When it came to be so. Milliseconds since the epoch. */
  readonly since: number
  /** What the last result said that was not unknown; unknown before there was one. */
  readonly last: State
  /** Results in a row that said so, unknown ones left out. */
  readonly inARow: number
}

/** Nothing is known yet. */
export const unheard = (at: number): Health => ({ state: 'unknown', since: at, last: 'unknown', inARow: 0 })

/** What a result at `at` makes of it. The same object where it changes nothing. */
export function healthAfter(health: Health, result: State, at: number, { rise, fall }: Rules): Health {
  if (result === 'unknown') return health
  const inARow = health.last === result ? health.inARow + 1 : 1
  const needed = health.state === 'unknown' ? 1 : result === 'up' ? rise : fall
  const changes = result !== health.state && inARow >= needed
  return changes
    ? { state: result, since: at, last: result, inARow }
    : { state: health.state, since: health.since, last: result, inARow }
}

/** A change is under way: the last result speaks against the state. */
export const isChanging = ({ state, last }: Health): boolean => last !== state

export interface Intervals {
  /** From the start of one check to that of the next. Milliseconds. */
  readonly intervalMs: number
  /** While a change is under way. Default: intervalMs. */
  readonly fastIntervalMs?: number | undefined
  /** While it is down. Default: intervalMs. */
  readonly downIntervalMs?: number | undefined
}

/** When the next check is due, counted from when the last one was. HAProxy's inter, fastinter and downinter. */
export function intervalFor(health: Health, { intervalMs, fastIntervalMs, downIntervalMs }: Intervals): number {
  if (health.state === 'unknown') return intervalMs
  if (isChanging(health)) return fastIntervalMs ?? intervalMs
  return health.state === 'down' ? (downIntervalMs ?? intervalMs) : intervalMs
}
