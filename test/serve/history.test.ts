/** The last results of each target: a ring each, and nothing of those that have left. */
import { describe, expect, it } from 'vitest'
import { History } from '#internal/core/history'
import * as limits from '#internal/core/limits'

const { historyLength, historyBlock, rowsPerSlice } = limits.serve

describe('a history', () => {
  it('has the last results, the oldest first', () => {
    const history = new History()
    expect(history.past('a')).toEqual({ results: '', connectMs: [] })
    expect(history.add('a', 'up', 1.25, 2)).toBe(true)
    expect(history.add('a', 'down', undefined, 3)).toBe(false)
    history.add('a', 'unknown', 0.001, 4.5)
    expect(history.past('a')).toEqual({ results: 'ud?', connectMs: [1.25, null, 0.001] })
    expect(history.durationMs('a')).toBe(4.5)
    for (let i = 0; i < historyLength; i += 1) history.add('a', i === 0 ? 'down' : 'up', i, i)
    const { results, connectMs } = history.past('a')
    expect(results).toBe(`d${'u'.repeat(historyLength - 1)}`)
    expect(connectMs).toEqual(Array.from({ length: historyLength }, (_, index) => index))
  })

  const sweep = (history: History, keys: Iterable<string>) => [...history.sweep(keys)].length

  it('forgets those that are gone, and uses their places again', () => {
    const history = new History()
    const keys = Array.from({ length: historyBlock + 5 }, (_, index) => `k${index}`)
    for (const key of keys) history.add(key, 'up', 1, 1)
    const kept = keys.filter((_, index) => index % 2 === 0)
    expect(sweep(history, kept)).toBeGreaterThanOrEqual(Math.floor(keys.length / rowsPerSlice))
    expect(history.size).toBe(kept.length)
    expect(history.past('k1')).toEqual({ results: '', connectMs: [] })
    expect(history.durationMs('k1')).toBeUndefined()
    for (const key of kept) expect(history.past(key).results).toBe('u')
    for (let i = 0; i < keys.length - kept.length; i += 1) history.add(`new${i}`, 'down', undefined, 1)
    for (const key of kept) expect(history.past(key).results).toBe('u')
    expect(history.past('new0')).toEqual({ results: 'd', connectMs: [null] })
    expect(history.size).toBe(keys.length)
  })

  it('keeps those that come while it sweeps', () => {
    const history = new History()
    for (let i = 0; i < rowsPerSlice * 2; i += 1) history.add(`k${i}`, 'up', 1, 1)
    const steps = history.sweep(Array.from({ length: rowsPerSlice }, (_, index) => `k${index}`))
    steps.next()
    history.add('late', 'up', 1, 1)
    history.add(`k${rowsPerSlice}`, 'up', 1, 1)
    for (const _ of steps);
    expect(history.past('late').results).toBe('u')
    expect(history.past(`k${rowsPerSlice}`).results).toBe('uu')
    expect(history.size).toBe(rowsPerSlice + 2)
  })

  it('counts skipped checks of all there ever were', () => {
    const history = new History()
    history.noteSkipped('a', 0)
    expect(history.size).toBe(0)
    history.noteSkipped('a', 3)
    history.noteSkipped('b', 1)
    history.noteSkipped('a', 4)
    expect(history.skipped).toBe(5)
    sweep(history, [])
    expect([history.size, history.skipped]).toEqual([0, 5])
    history.noteSkipped('a', 2)
    expect(history.skipped).toBe(7)
  })
})
