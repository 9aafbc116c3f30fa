import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lineOf } from '#internal/cli/progress'

const state = { done: 1_234, notUp: 5, total: 10_000, elapsedMs: 65_000, perSecond: 100 }

describe('the line of progress', () => {
  it('says how many are done, at which rate, and how long the rest takes', () => {
    expect(lineOf(state, 80)).toBe('[====--------------------------] 1,234 of 10,000, 5 not up, 100/s, 1:28 left')
  })

  it('says how long it has taken where the end is not known', () => {
    expect(lineOf({ ...state, total: undefined }, 80)).toBe('1,234 checked, 5 not up, 100/s, 1:05')
    expect(lineOf({ ...state, perSecond: 0, elapsedMs: 3_725_000 }, 80)).toContain('0/s, 1:02:05')
  })

  it('says what it knows of the end: more than so many, until that is past', () => {
    const unknown = { ...state, total: undefined, moreThan: 2_000 }
    expect(lineOf(unknown, 80)).toBe('1,234 of more than 2,000, 5 not up, 100/s, 1:05')
    expect(lineOf({ ...unknown, done: 2_001 }, 80)).toBe('2,001 checked, 5 not up, 100/s, 1:05')
  })

  it('gives way: the bar first, then the rate, then the time', () => {
    expect(lineOf(state, 45)).toBe('1,234 of 10,000, 5 not up, 100/s, 1:28 left')
    expect(lineOf(state, 39)).toBe('1,234 of 10,000, 5 not up, 1:28 left')
    expect(lineOf(state, 30)).toBe('1,234 of 10,000, 5 not up')
    expect(lineOf(state, 20)).toBe('1,234 of 10,000')
    expect(lineOf(state, 5)).toBe('1,234')
    // Half a number is another number.
    expect(lineOf(state, 4)).toBe('')
  })

  it('never takes more than its room', () => {
    const count = fc.integer({ min: 0, max: 1_000_000_000 })
    fc.assert(
      fc.property(count, count, fc.option(count, { nil: undefined }), count, count, fc.nat(200), (...values) => {
        const [done, notUp, total, elapsedMs, perSecond, room] = values
        const line = lineOf({ done, notUp, total, elapsedMs, perSecond, moreThan: notUp }, room)
        expect(line.length).toBeLessThanOrEqual(room)
        expect(line).not.toMatch(/-\d/)
      }),
    )
  })
})
