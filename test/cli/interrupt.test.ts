import { setTimeout } from 'node:timers/promises'
import type { CheckResult } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { start } from './run.js'

let fleet: Fleet
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
})
afterAll(() => fleet.close())

describe('an interrupted check', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s prints what there is and exits with 130', async (signal) => {
    const args = ['check', '--json', '--timeout', '1m', targetOf('accept'), targetOf('hang'), targetOf('stall')]
    const { child, until, ended } = start(args)
    await until(/\n/)
    child.kill(signal)
    const { code, stdout, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
    const results = stdout.trimEnd().split('\n')
    expect(results.map((line) => (JSON.parse(line) as CheckResult).status)).toEqual(['up'])
  })

  it('shows people the partial table', async () => {
    const { child, ended } = start(['check', '--timeout', '1m', targetOf('accept'), targetOf('hang')])
    await setTimeout(1_000)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/Interrupted: 1 target checked .* 1 up/)
  })

  it('ends while it waits for standard input', async () => {
    const { child, until, ended } = start(['check', '--json'])
    child.stdin!.write(`${targetOf('accept')}\n`)
    await until(/\n/)
    child.kill('SIGINT')
    expect((await ended).code).toBe(130)
  })

  it('is killed by a second one, though its reader sleeps', async () => {
    const port = targetOf('accept').replace(/.*:/, '')
    const { child, until, ended } = start(['check', '--json', `127.1.0.0/16:${port}`])
    await until(/\n/)
    child.stdout!.pause()
    await setTimeout(300)
    child.kill('SIGINT')
    await setTimeout(300)
    expect(child.exitCode).toBeNull()
    child.kill('SIGINT')
    child.stdout!.resume()
    expect(await ended).toMatchObject({ code: null, signal: 'SIGINT' })
  })

  it('ends quietly when its reader leaves', async () => {
    const port = targetOf('accept').replace(/.*:/, '')
    const { child, until, ended } = start(['check', '--json', `127.1.0.0/16:${port}`])
    await until(/\n/)
    child.stdout!.destroy()
    const { code, signal, stderr } = await ended
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
  })
})
