import type { CheckResult } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { Report } from '#internal/cli/report'
import { Summary } from '#internal/cli/summary'

const result = (target: string, rest: Partial<CheckResult>): CheckResult => ({
  target,
  status: 'up',
  attempts: 1,
  startedAt: 0,
  ...rest,
})
const up = (target: string, connectMs = 1) => result(target, { connectMs })
const refused = (target: string) =>
  result(target, { status: 'down', errnoClass: 'refused', code: 'ECONNREFUSED', reason: 'nothing listens' })

const render = (results: CheckResult[], resets = false) => {
  const report = new Report({ resets })
  for (const each of results) report.add(each)
  return report.render({ colour: false, elapsedMs: 1234 })
}

describe('Summary', () => {
  it('counts by status and kind of failure, the most frequent first', () => {
    const summary = new Summary()
    const late = result('c:1', { status: 'down', errnoClass: 'timed-out', code: 'ETIMEDOUT' })
    for (const each of [up('a:1'), late, refused('b:1'), refused('d:1'), result('e:1', { status: 'unknown' })]) {
      summary.add(each)
    }
    expect(summary.counts).toEqual({ up: 1, down: 3, unknown: 1 })
    expect([summary.total, summary.notUp]).toEqual([5, 4])
    expect(summary.failures.map(({ errnoClass, code, count }) => [errnoClass, code, count])).toEqual([
      ['refused', 'ECONNREFUSED', 2],
      ['timed-out', 'ETIMEDOUT', 1],
      ['unknown', 'unknown', 1],
    ])
  })

  it('gives percentiles of the connect time of what is up, to three digits', () => {
    const summary = new Summary()
    for (let i = 1; i <= 1000; i += 1) summary.add(up('a:1', i / 10))
    summary.add({ ...refused('b:1'), connectMs: 9999 })
    const { p50, p90, p99, max } = summary.latency!
    for (const [value, exact] of [
      [p50, 50],
      [p90, 90],
      [p99, 99],
    ] as const) {
      expect(Math.abs(value - exact)).toBeLessThan(exact / 500)
    }
    expect(max).toBe(100)
  })

  it('has no latency where nothing is up', () => {
    const summary = new Summary()
    summary.add(refused('b:1'))
    expect(summary.latency).toBeUndefined()
  })
})

describe('Report', () => {
  it('shows a short check whole, and says what each failure means', () => {
    const text = render([up('127.0.0.1:80'), refused('127.0.0.2:80')])
    expect(text).toMatch(/127\.0\.0\.1:80 +up +1\.00 ms/)
    expect(text).toMatch(/127\.0\.0\.2:80 +down +- +ECONNREFUSED \(refused\)/)
    expect(text).toContain('2 targets checked in 1.23 s: 1 up, 1 down')
    expect(text).toMatch(/refused +1 +ECONNREFUSED 1/)
    expect(text).toMatch(/^ECONNREFUSED: \w.+\./m)
  })

  it('shows of a long check only what is not up, at most 40, and says how many more there are', () => {
    const ups = Array.from({ length: 1500 }, (_, i) => up(`up-${i}:80`))
    const downs = Array.from({ length: 45 }, (_, i) => refused(`down-${i}:80`))
    const text = render([...ups, ...downs])
    expect(text).not.toContain('up-0:80')
    expect(text).toContain('down-39:80')
    expect(text).not.toContain('down-40:80')
    expect(text).toContain('Not shown: 5 more not up and 1,500 up.')
  })

  it('gives every kind of failure its share of the rows', () => {
    const downs = Array.from({ length: 45 }, (_, i) => refused(`down-${i}:80`))
    const late = result('late:80', { status: 'down', errnoClass: 'timed-out', code: 'ETIMEDOUT' })
    const reset = (_: unknown, i: number) => result(`reset-${i}:80`, { status: 'down', code: 'ECONNRESET' })
    const text = render([...downs, ...Array.from({ length: 45 }, reset), late])
    expect(text).toMatch(/late:80 +down/)
    expect(text.match(/^ +(down|reset)-\d+:80/gm)).toHaveLength(39)
    expect(text).toContain('Not shown: 51 more')
  })

  it('says where many connections to one endpoint were reset', () => {
    const results = Array.from({ length: 25 }, (_, i) =>
      result(`name-${i}:3306`, { address: '127.0.0.1', port: 3306, connectMs: 1 }),
    )
    expect(render(results, true)).toContain('25 connections to 127.0.0.1:3306 were ended by a reset.')
    expect(render(results, true)).toContain('--close fin')
    expect(render(results, false)).not.toContain('reset')
    expect(render(results.slice(0, 5), true)).not.toContain('reset')
  })

  it('makes control characters visible and clips what is long', () => {
    const text = render([refused('a\u001b[2Jb:1'), refused(`${'x'.repeat(300)}:1`)])
    expect(text).toContain('a\\u001b[2Jb:1')
    expect(text).not.toMatch(/x{61}/)
  })

  it.each(['ERR_ODD', 'ERR_CHECK', 'ERR_INVALID_TARGET'])('uses the result’s own words for %s', (code) => {
    const text = render([result('a', { status: 'unknown', code, errnoClass: 'unknown', reason: 'it is odd' })])
    expect(text).toContain(`${code}: it is odd`)
  })
})
