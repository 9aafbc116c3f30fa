import { describe, expect, it } from 'vitest'
import { Lateness } from '../../src/core/lateness.js'

describe('a process that is held up', () => {
  it('is one whose beats are late, by as much', () => {
    const lateness = new Lateness(20, 10, 0)
    lateness.beat(21)
    lateness.beat(45)
    expect(lateness.heldMs(60)).toBe(0)
    // Due at 65.
    lateness.beat(565)
    expect(lateness.heldMs(570)).toBe(500)
  })

  it('shows before the late beat has come', () => {
    const lateness = new Lateness(20, 10, 0)
    expect(lateness.heldMs(30)).toBe(0)
    expect(lateness.heldMs(720)).toBe(700)
    lateness.beat(730)
    expect(lateness.heldMs(735)).toBe(710)
  })

  it('is not one where no beat was due', () => {
    const lateness = new Lateness(20, 10, 0)
    lateness.resume(10_000)
    expect(lateness.heldMs(10_020)).toBe(0)
    lateness.beat(10_120)
    expect(lateness.heldMs(10_125)).toBe(100)
  })
})
