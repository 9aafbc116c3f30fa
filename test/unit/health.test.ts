import { describe, expect, it } from 'vitest'
import { type Health, healthAfter, intervalFor, type State, unheard } from '#internal/core/health'

const letters: Record<string, State> = { u: 'up', d: 'down', '?': 'unknown' }
const rules = { rise: 2, fall: 3 }

/** The states after each of the results, a letter each. */
function statesAfter(results: string, { rise, fall } = rules): string {
  let health: Health = unheard(0)
  return [...results]
    .map((letter, at) => {
      health = healthAfter(health, letters[letter]!, at + 1, { rise, fall })
      return Object.keys(letters).find((each) => letters[each] === health.state)
    })
    .join('')
}

describe('health', () => {
  it.each<[results: string, states: string, why: string]>([
    ['u', 'u', 'the first result decides at once'],
    ['d', 'd', 'whichever it is'],
    ['??u', '??u', 'the first that is not unknown'],
    ['uddd', 'uuud', 'fall results in a row change it'],
    ['uddudd', 'uuuuuu', 'one that agrees begins the count anew'],
    ['ud?d?d', 'uuuuud', 'unknown moves no counter'],
    ['u?????', 'uuuuuu', 'unknown changes no state'],
    ['duu', 'ddu', 'rise results in a row change it back'],
    ['dudu', 'dddd', 'not where there is a failure between'],
    ['du?u', 'dddu', 'unknown moves no counter on the way up'],
    ['udddu', 'uuudd', 'a new state counts from nothing'],
    ['uddduud', 'uuudduu', 'there and back'],
  ])('%s: %s, for %s', (results, states) => {
    expect(statesAfter(results)).toBe(states)
  })

  it('with rise and fall of 1 follows every result', () => {
    expect(statesAfter('ud?ud', { rise: 1, fall: 1 })).toBe('udduD'.toLowerCase())
  })

  it('tells since when, and how many in a row', () => {
    let health = unheard(5)
    expect(health).toEqual({ state: 'unknown', since: 5, last: 'unknown', inARow: 0 })
    expect(healthAfter(health, 'unknown', 6, rules)).toBe(health)
    for (const at of [10, 20, 30]) health = healthAfter(health, 'up', at, rules)
    expect(health).toEqual({ state: 'up', since: 10, last: 'up', inARow: 3 })
    for (const at of [40, 50]) health = healthAfter(health, 'down', at, rules)
    expect(health).toEqual({ state: 'up', since: 10, last: 'down', inARow: 2 })
    expect(healthAfter(health, 'down', 60, rules)).toEqual({ state: 'down', since: 60, last: 'down', inARow: 3 })
  })

  const all = { intervalMs: 10, fastIntervalMs: 2, downIntervalMs: 30 }
  it.each<[results: string, intervals: Parameters<typeof intervalFor>[1], ms: number]>([
    ['', all, 10],
    ['?', all, 10],
    ['u', all, 10],
    ['ud', all, 2],
    ['ud?', all, 2],
    ['udu', all, 10],
    ['uddd', all, 30],
    ['udddu', all, 2],
    ['uddduu', all, 10],
    ['d', all, 30],
    ['ud', { intervalMs: 10 }, 10],
    ['d', { intervalMs: 10 }, 10],
    ['du', { intervalMs: 10, downIntervalMs: 30 }, 10],
  ])('after %o with %o the next check is due %i later', (results, intervals, ms) => {
    let health = unheard(0)
    for (const letter of results) health = healthAfter(health, letters[letter]!, 1, rules)
    expect(intervalFor(health, intervals)).toBe(ms)
  })
})
