import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DelayWindow } from '#internal/core/delays'
import { hashOf } from '#internal/core/hash'
import { Overload } from '#internal/core/overload'
import { Due, Schedule, tickMs } from '#internal/core/schedule'
import { firstDelay, jittered } from '#internal/core/spread'

class Item extends Due {
  readonly name: number
  constructor(name: number) {
    super()
    this.name = name
  }
}

describe('the schedule', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        do: fc.constant('add' as const),
        inMs: fc.oneof(fc.nat(50), fc.nat(5_000), fc.nat(1_000_000), fc.nat(90_000_000)),
      }),
      fc.record({ do: fc.constant('delete' as const), which: fc.nat(1_000) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(400_000)) }),
    ),
    { maxLength: 60 },
  )

  it('gives everything once, not before it is due and within a tick of it, whatever is added and taken out', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), steps, (start, list) => {
        let now = start
        const schedule = new Schedule<Item>(now)
        const waiting = new Map<number, Item>()
        let names = 0
        const takeAll = () => {
          for (let item = schedule.take(now); item; item = schedule.take(now)) {
            expect(waiting.delete(item.name)).toBe(true)
            expect(item.dueAt).toBeLessThanOrEqual(now)
          }
          for (const { dueAt } of waiting.values()) expect(now - dueAt).toBeLessThan(tickMs)
          expect(schedule.size).toBe(waiting.size)
        }
        for (const step of list) {
          if (step.do === 'add') {
            const item = new Item(names++)
            waiting.set(item.name, item)
            schedule.add(item, now + step.inMs)
          } else if (step.do === 'delete') {
            const item = [...waiting.values()][step.which]
            if (item) {
              expect(schedule.delete(item)).toBe(true)
              expect(schedule.delete(item)).toBe(false)
              waiting.delete(item.name)
            }
          } else now += step.ms
          takeAll()
          const waitMs = schedule.waitMs(now)
          if (waiting.size === 0) expect(waitMs).toBeUndefined()
          else {
            const soonest = Math.min(...[...waiting.values()].map(({ dueAt }) => dueAt))
            expect(waitMs).toBeGreaterThanOrEqual(0)
            // It may have to look once more in between, and it never sleeps past what is due.
            expect(now + waitMs!).toBeLessThanOrEqual(Math.ceil(soonest / tickMs) * tickMs)
          }
        }
      }),
    )
  })

  it('goes on after a day in which nobody asked', () => {
    const schedule = new Schedule<Item>(0)
    for (let i = 0; i < 1_000; i++) schedule.add(new Item(i), i * 100)
    const day = 86_400_000
    let taken = 0
    while (schedule.take(day)) taken++
    expect(taken).toBe(1_000)
  })
})

describe('the spread', () => {
  it('is the same again, and even', () => {
    const delays = Array.from({ length: 10_000 }, (_, i) => firstDelay(`10.0.${i >> 8}.${i & 255}:80`, 1_000))
    expect(delays.every((delay) => delay >= 0 && delay < 1_000)).toBe(true)
    expect(firstDelay('10.0.0.1:80', 1_000)).toBe(delays[1])
    const tenths = Array.from({ length: 10 }, (_, i) => delays.filter((delay) => Math.floor(delay / 100) === i).length)
    expect(Math.min(...tenths)).toBeGreaterThan(850)
    expect(Math.max(...tenths)).toBeLessThan(1_150)
  })

  it('jitter stays within its share, on both sides, and averages to nothing', () => {
    const key = hashOf('10.0.0.1:80')
    const all = Array.from({ length: 5_000 }, (_, count) => jittered(1_000, 0.03, key, count))
    expect(Math.min(...all)).toBeGreaterThanOrEqual(970)
    expect(Math.max(...all)).toBeLessThanOrEqual(1_030)
    expect(Math.abs(all.reduce((sum, each) => sum + each, 0) / all.length - 1_000)).toBeLessThan(2)
    expect(jittered(1_000, 0, key, 3)).toBe(1_000)
    expect(jittered(1_000, 0.03, key, 3)).toBe(all[3])
  })
})

describe('lateness', () => {
  it('is told within a fifth, and forgotten', () => {
    const window = new DelayWindow(60_000, 0)
    expect(window.summary(0)).toEqual({ p50: 0, p99: 0, max: 0 })
    for (let i = 1; i <= 1_000; i++) window.add(i, i)
    const { p50, p99, max } = window.summary(1_000)
    expect(p50).toBeGreaterThanOrEqual(500 / 1.2)
    expect(p50).toBeLessThanOrEqual(500 * 1.2)
    expect(p99).toBeLessThanOrEqual(1_000)
    expect(max).toBe(1_000)
    expect(window.summary(40_000).max).toBe(1_000)
    expect(window.summary(200_000)).toEqual({ p50: 0, p99: 0, max: 0 })
  })
})

describe('overload', () => {
  const rules = { lateAtMostMs: 100, heldUpAtMostMs: 50, localShareAtMost: 0.25, resultsLookedAt: 8, calmMs: 1_000 }

  it.each<[string, (overload: Overload) => void, string | undefined]>([
    ['nothing', () => {}, undefined],
    ['checks that are a little late', (overload) => overload.started(100, 0), undefined],
    ['checks that are late', (overload) => overload.started(101, 0), 'checks start late'],
    ['a short stop', (overload) => overload.heldUp(50, 0), undefined],
    ['a stop', (overload) => overload.heldUp(51, 0), 'this process was blocked or stopped'],
    ['two local failures of eight', (overload) => [1, 1].forEach(() => void overload.ended(true, 0)), undefined],
    [
      'three',
      (overload) => [1, 1, 1].forEach(() => void overload.ended(true, 0)),
      'this machine is out of something that checks need',
    ],
    [
      'three that are long ago',
      (overload) => [...'110000000001'].forEach((each) => void overload.ended(each === '1', 0)),
      undefined,
    ],
  ])('by %s: %s', (_, happen, why) => {
    const overload = new Overload(rules)
    happen(overload)
    expect(overload.whyFrozen(1)).toBe(why)
    expect(overload.whyFrozen(1_000)).toBeUndefined()
  })

  it('lasts until it was calm for long enough', () => {
    const overload = new Overload(rules)
    overload.started(101, 0)
    overload.started(101, 900)
    expect(overload.whyFrozen(1_500)).toBe('checks start late')
    expect(overload.whyFrozen(1_900)).toBeUndefined()
  })
})
