import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Intensity } from '#internal/core/intensity'
import * as limits from '#internal/core/limits'
import { descriptorCeiling, InFlightWindow, TokenBucket } from '#internal/core/window'

const { windowStart, windowStepMs, windowCutMs } = limits

/** Enters as often as it may. */
function fill(window: InFlightWindow, now: number): number {
  let entered = 0
  while (window.enter(now)) entered += 1
  return entered
}

describe('the in-flight window', () => {
  it('starts modest, and grows by doubling while it is full', () => {
    const window = new InFlightWindow(1000)
    const sizes = [0, 1, 2, 3, 4].map((step) => {
      fill(window, step * windowStepMs)
      return window.size
    })
    expect(sizes).toEqual([128, 256, 512, 1000, 1000])
    expect(window.inFlight).toBe(1000)
  })

  it('does not grow while there is room', () => {
    const window = new InFlightWindow(1000)
    for (let step = 0; step < 100; step += 1) {
      expect(window.enter(step * windowStepMs)).toBe(true)
      window.leave()
    }
    expect(window.size).toBe(windowStart)
  })

  it('grows once a step, and says when the next one is due', () => {
    const window = new InFlightWindow(1000)
    fill(window, 0)
    expect(window.enter(windowStepMs - 1)).toBe(false)
    expect(window.waitMs(windowStepMs - 1)).toBe(1)
    expect(window.enter(windowStepMs)).toBe(true)
  })

  it('has a ceiling, and waits for no growth beyond it', () => {
    const window = new InFlightWindow(10)
    expect(fill(window, 0)).toBe(10)
    expect(window.waitMs(1_000_000)).toBe(Number.POSITIVE_INFINITY)
    expect(new InFlightWindow(0).enter(0)).toBe(true)
  })

  it('halves what was in flight when this machine runs out, once for failures of one moment', () => {
    const window = new InFlightWindow(1000)
    for (let step = 0; step < 4; step += 1) fill(window, step * windowStepMs)
    const now = 10_000
    for (let i = 0; i < 50; i += 1) window.cut(now + i)
    expect(window.size).toBe(500)
    window.cut(now + windowCutMs)
    expect(window.size).toBe(250)
  })

  it('goes by steps of a sixteenth after a cut', () => {
    const window = new InFlightWindow(1000)
    for (let step = 0; step < 4; step += 1) fill(window, step * windowStepMs)
    window.cut(10_000)
    const sizes = [1, 2, 3].map((step) => {
      fill(window, 10_000 + step * windowStepMs)
      while (window.inFlight > window.size) window.leave()
      window.enter(10_000 + step * windowStepMs)
      return window.size
    })
    expect(sizes).toEqual([531, 564, 599])
  })

  it('never falls below one, nor above its ceiling, and never lets more in than its size', () => {
    const event = fc.oneof(fc.constant('enter'), fc.constant('leave'), fc.constant('cut'))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.array(fc.tuple(event, fc.nat(200))), (ceiling, events) => {
        const window = new InFlightWindow(ceiling)
        let now = 0
        for (const [kind, ms] of events) {
          now += ms
          if (kind === 'enter') expect(window.enter(now) ? window.inFlight <= window.size : true).toBe(true)
          else if (kind === 'cut') window.cut(now)
          else if (window.inFlight > 0) window.leave()
          expect(window.size).toBeGreaterThanOrEqual(1)
          expect(window.size).toBeLessThanOrEqual(ceiling)
        }
      }),
    )
  })
})

describe('what the machine allows', () => {
  it.each([
    [20_000, 22, 19_850],
    [1024, 22, 874],
    [64, 30, 18],
    [64, 60, 1],
  ])('of %i descriptors, %i in use, %i may be in flight', (limit, inUse, ceiling) => {
    expect(descriptorCeiling(limit, inUse)).toBe(ceiling)
  })
})

describe('the token bucket', () => {
  /** When each of `count` takers got a token, if each waits as told. */
  function takes(bucket: TokenBucket, count: number): number[] {
    let now = 1_000_000
    return Array.from({ length: count }, () => {
      for (let waitMs = bucket.take(now); waitMs > 0; waitMs = bucket.take(now)) now += waitMs
      return now - 1_000_000
    })
  }

  it('lets a tenth of a second’s worth through at once, then one after the other', () => {
    const times = takes(new TokenBucket(100), 30)
    expect(times.slice(0, 10)).toEqual(Array(10).fill(0))
    times.slice(10).forEach((time, i) => {
      expect(time).toBeCloseTo((i + 1) * 10, 6)
    })
  })

  it.each([0.5, 1, 7, 1000, 90_000])('keeps to %d a second over a long time', (rate) => {
    const count = Math.max(10, Math.round(rate * 5))
    const last = takes(new TokenBucket(rate), count).at(-1)!
    const burst = Math.max(1, rate / 10)
    expect(last / 1000).toBeCloseTo((count - burst) / rate, 3)
  })

  it('gathers no more than its burst while nobody takes', () => {
    const bucket = new TokenBucket(100)
    bucket.take(0)
    let burst = 0
    while (bucket.take(3_600_000) === 0) burst += 1
    expect(burst).toBe(10)
  })
})

describe('restart intensity', () => {
  it('bears so many failures a period, and not one more', () => {
    const intensity = new Intensity(3, 1000)
    expect([0, 10, 20].map((now) => intensity.exceededBy(now))).toEqual([false, false, false])
    expect(intensity.exceededBy(999)).toBe(true)
  })

  it('forgives those that are a period old', () => {
    const intensity = new Intensity(3, 1000)
    for (let now = 0; now < 100_000; now += 334) expect(intensity.exceededBy(now)).toBe(false)
  })
})
