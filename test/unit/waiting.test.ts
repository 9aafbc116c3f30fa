import { describe, expect, it } from 'vitest'
import type { ErrnoClass } from '#internal/core/errno'
import { type Goal, isMistake, meets, type Outcome, pauseMs, Waiting } from '#internal/core/waiting'

const down = (errnoClass: ErrnoClass, more: Partial<Outcome> = {}): Outcome => ({
  status: 'down',
  errnoClass,
  phase: 'connect',
  ...more,
})
const unknown = (errnoClass: ErrnoClass): Outcome => ({ ...down(errnoClass), status: 'unknown' })

describe('the pause after a try', () => {
  // biome-ignore format: a table reads by rows
  it.each<[ErrnoClass, number, number[]]>([
    ['refused',       250, [250, 250, 250, 250, 250, 250]],
    ['busy',          250, [250, 250, 250, 250, 250, 250]],
    ['protocol',      100, [250, 500, 1_000, 2_000, 2_000, 2_000]],
    ['name',          250, [1_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
    ['timed-out',     250, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    ['unreachable',   250, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    ['denied',        250, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    ['local',         250, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    ['unknown',       250, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    ['unreachable', 3_000, [3_000, 3_000, 3_000, 4_000, 5_000, 5_000]],
    ['refused',    60_000, [60_000, 60_000]],
    ['timed-out',  60_000, [60_000, 60_000]],
  ])('%s, with an interval of %i ms', (errnoClass, intervalMs, pauses) => {
    expect(pauses.map((_, index) => pauseMs(down(errnoClass), index + 1, intervalMs))).toEqual(pauses)
  })

  it('is the interval after a target was up that is to be down', () => {
    expect(pauseMs({ status: 'up' }, 9, 250)).toBe(250)
  })

  it('stays at its end, however long it goes on', () => {
    expect(pauseMs(down('timed-out'), 5_000, 250)).toBe(5_000)
    expect(pauseMs(down('refused'), 5_000, 250)).toBe(250)
  })
})

describe('a target is what it is waited for', () => {
  // biome-ignore format: a table reads by rows
  it.each<[string, Outcome, Goal[]]>([
    ['up',                       { status: 'up' },                          ['up']],
    ['refused',                  down('refused'),                           ['down']],
    ['nobody answers',           down('timed-out'),                         ['down']],
    ['no way there',             down('unreachable'),                       ['down']],
    ['no such name',             down('name', { phase: 'name' }),           ['down']],
    ['no answer of name servers', { ...unknown('name'), phase: 'name' },    []],
    ['time ran out with the name', down('timed-out', { phase: 'name' }),    []],
    ['a full backlog',           down('busy'),                              []],
    ['a backlog that stays full', down('timed-out', { path: '/x.sock' }),   []],
    ['no socket file',           down('refused', { path: '/x.sock' }),      ['down']],
    ['denied',                   down('denied'),                            []],
    ['a wrong answer',           down('protocol', { phase: 'expect' }),     []],
    ['cut off in TLS',           down('refused', { phase: 'tls' }),         []],
    ['no answer after connect',  down('timed-out', { phase: 'expect' }),    []],
    ['this machine lacks',       unknown('local'),                          []],
    ['a family switched off',    unknown('unreachable'),                    []],
    ['nobody knows',             unknown('unknown'),                        []],
  ])('%s', (_, outcome, goals) => {
    expect((['up', 'down'] as const).filter((goal) => meets(outcome, goal))).toEqual(goals)
  })

  it('and a mistake is waited for by nobody', () => {
    expect(isMistake(unknown('misuse'))).toBe(true)
    expect(isMistake(down('denied'))).toBe(false)
  })
})

describe('Waiting, in virtual time', () => {
  const waitFor = (targets: string[], goal: Goal = 'up') => new Waiting(targets, { goal, intervalMs: 250 }, 1_000)

  it('tries all at once, in the order given, and each by its own pace', () => {
    const waiting = waitFor(['a', 'b', 'c'])
    expect([1, 2, 3, 4].map(() => waiting.take(1_000))).toEqual(['a', 'b', 'c', undefined])
    // All are being tried.
    expect(waiting.dueInMs(1_000)).toBeUndefined()
    waiting.heard('b', down('refused'), 1_001)
    waiting.heard('a', down('unreachable'), 1_002)
    expect(waiting.dueInMs(1_002)).toBe(249)
    expect(waiting.take(1_250)).toBeUndefined()
    expect(waiting.take(1_251)).toBe('b')
    expect(waiting.dueInMs(1_251)).toBe(251)
    expect(waiting.take(1_502)).toBe('a')
    waiting.heard('a', down('unreachable'), 1_600)
    expect(waiting.dueInMs(1_600)).toBe(1_000)
  })

  it('a try that hangs holds up no other, and is not begun twice', () => {
    const waiting = waitFor(['hangs', 'b'])
    const tried: (string | undefined)[] = []
    for (let now = 1_000; now < 2_000; now += 250) {
      for (let target = waiting.take(now); target; target = waiting.take(now)) {
        tried.push(target)
        if (target === 'b') waiting.heard('b', down('refused'), now)
      }
    }
    expect(tried).toEqual(['hangs', 'b', 'b', 'b', 'b'])
  })

  it('of two that are due, the one that was due first comes first', () => {
    const waiting = waitFor(['a', 'b'])
    waiting.take(1_000)
    waiting.take(1_000)
    waiting.heard('b', down('refused'), 1_010)
    waiting.heard('a', down('refused'), 1_020)
    expect([waiting.take(9_000), waiting.take(9_000)]).toEqual(['b', 'a'])
  })

  it('begins anew with the pace where the class changes', () => {
    const waiting = waitFor(['a'])
    const pauses = (['timed-out', 'timed-out', 'timed-out', 'refused', 'timed-out'] as const).map((errnoClass) => {
      waiting.take(1e6)
      waiting.heard('a', down(errnoClass), 1_000)
      return waiting.dueInMs(1_000)
    })
    expect(pauses).toEqual([500, 1_000, 2_000, 250, 500])
  })

  it('a target that was up need not stay up', () => {
    const waiting = waitFor(['a', 'b'])
    waiting.take(1_000)
    waiting.take(1_000)
    waiting.heard('a', { status: 'up' }, 1_005)
    expect(waiting.done).toBe(false)
    expect(waiting.missing.map(({ target }) => target)).toEqual(['b'])
    expect(waiting.take(9_000)).toBeUndefined()
    waiting.heard('b', down('refused'), 9_000)
    waiting.take(9_250)
    waiting.heard('b', { status: 'up' }, 9_251)
    expect(waiting.done).toBe(true)
    expect(waiting.dueInMs(9_251)).toBeUndefined()
    expect(waiting.targets).toMatchObject([
      { target: 'a', tries: 1, metAt: 1_005 },
      { target: 'b', tries: 2, metAt: 9_251 },
    ])
  })

  it('waits for what is up to be down, and does not take what is unknown for it', () => {
    const waiting = waitFor(['a'], 'down')
    for (const outcome of [{ status: 'up' }, unknown('local'), unknown('name'), down('busy')] as const) {
      waiting.take(1e6)
      waiting.heard('a', outcome, 1_000)
      expect(waiting.done).toBe(false)
    }
    waiting.take(1e6)
    waiting.heard('a', down('refused'), 1_000)
    expect(waiting.done).toBe(true)
  })

  it('tells how far each has come', () => {
    const waiting = waitFor(['a', 'b'])
    waiting.take(1_000)
    waiting.heard('a', down('refused', { code: 'ECONNREFUSED' }), 1_001)
    waiting.take(1_100)
    expect(waiting.targets).toMatchObject([
      { target: 'a', tries: 1, last: { code: 'ECONNREFUSED' } },
      { target: 'b', tries: 1, tryingSince: 1_100 },
    ])
    expect(waiting.targets[0]).not.toHaveProperty('tryingSince')
    expect(waiting.targets[1]).not.toHaveProperty('last')
  })
})
