import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from './run.js'

const scenarioNames =
  'cancel-latency abort-all memory connect-rate refuse-rate single-call fetch dead-address retry-storm naive'.split(' ')
/** A smoke run of all of them takes up to a minute: here two that are soon done, all in .ci/run and by CANCELPOINT_FULL. */
const tried = process.env.CANCELPOINT_FULL ? scenarioNames : ['cancel-latency', 'single-call']

interface Written {
  machine: Record<string, unknown>
  scenarios: { result: { name: string; rounds: object[]; failed: object }; summary: { contestants: object[] } }[]
}

describe('cancelpoint bench', () => {
  it('runs scenarios with every contestant, and writes the rounds', { timeout: 180_000 }, async () => {
    const out = await mkdtemp(join(tmpdir(), 'cancelpoint-bench-test-'))
    try {
      const { code, stdout, stderr } = await run(['bench', '--quick', '--out', out, '--scenario', ...tried])
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(stdout).toContain('a single connect(), nonblocking, against net.connect')
      expect(stdout).not.toMatch(/\bmet\b/)
      expect(stdout).toContain('nothing is judged')
      const written = await readFile(join(out, 'bench.json'), 'utf8')
      expect(written).not.toContain('"met"')
      const { machine, scenarios } = JSON.parse(written) as Written
      expect(machine).toMatchObject({ node: process.version })
      expect(scenarios.map(({ result }) => result.name)).toEqual(tried)
      for (const { result, summary } of scenarios) {
        expect(result.failed).toEqual({})
        expect(result.rounds.length).toBeGreaterThan(0)
        expect(summary.contestants.length).toBeGreaterThan(1)
      }
    } finally {
      await rm(out, { recursive: true })
    }
  })

  it('names the scenarios there are when asked for another', async () => {
    const { code, stderr } = await run(['bench', '--scenario', 'nope'])
    expect(code).toBe(2)
    for (const name of scenarioNames) expect(stderr).toContain(name)
  })
})
