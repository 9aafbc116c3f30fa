/** The alarms of all calls over one timer. */
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Alarm, clearAlarm, setAlarm } from '#internal/call/alarm'

class Noted extends Alarm {
  readonly #rung: (() => void) | undefined
  rangAt: number | undefined

  constructor(rung?: () => void) {
    super()
    this.#rung = rung
  }

  ring(): void {
    this.rangAt = performance.now()
    this.#rung?.()
  }
}

/** Those of the test runner come and go. */
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

describe('alarms', () => {
  it('ring once each, never early, over one timer however many there are', async () => {
    const before = timers()
    const alarms = Array.from({ length: 1_000 }, () => new Noted())
    const setAt = performance.now()
    for (const [i, alarm] of alarms.entries()) setAlarm(alarm, 20 + (i % 50))
    expect(timers()).toBeLessThan(before + 5)
    await expect.poll(() => alarms.every(({ rangAt }) => rangAt !== undefined)).toBe(true)
    for (const [i, { rangAt }] of alarms.entries()) expect(rangAt! - setAt).toBeGreaterThanOrEqual(20 + (i % 50))
  })

  it('that are cleared do not ring, and the last of them leaves no timer', async () => {
    const before = timers()
    const [kept, cleared] = [new Noted(), new Noted()]
    setAlarm(cleared, 10)
    setAlarm(kept, 5_000)
    clearAlarm(cleared)
    clearAlarm(cleared)
    await wait(40)
    expect(cleared.rangAt).toBeUndefined()
    clearAlarm(kept)
    await turn()
    expect(timers()).toBeLessThanOrEqual(before)
  })

  it('ring in their time though a later one was set before, and after a time without any', async () => {
    const [later, sooner] = [new Noted(), new Noted()]
    await wait(300)
    const setAt = performance.now()
    setAlarm(later, 3_000)
    setAlarm(sooner, 30)
    await expect.poll(() => sooner.rangAt, { interval: 5 }).toBeDefined()
    expect(sooner.rangAt! - setAt).toBeGreaterThanOrEqual(30)
    expect(later.rangAt).toBeUndefined()
    clearAlarm(later)
  })

  it('may be set and cleared by one that rings', async () => {
    const [third, cleared] = [new Noted(), new Noted()]
    const first = new Noted(() => {
      clearAlarm(cleared)
      setAlarm(third, 10)
    })
    setAlarm(first, 10)
    setAlarm(cleared, 12)
    await expect.poll(() => third.rangAt).toBeDefined()
    expect(third.rangAt! - first.rangAt!).toBeGreaterThanOrEqual(10)
    expect(cleared.rangAt).toBeUndefined()
  })
})
