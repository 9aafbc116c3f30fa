import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { constants } from 'node:os'
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

/** Resolves once a process has written what its reader's buffers hold, and writes no more. */
async function stalled(pid: number): Promise<void> {
  const written = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1])
  let before = 0
  for (let quiet = 0; quiet < 10; before = written()) {
    await setTimeout(50)
    quiet = before > 32_768 && written() === before ? quiet + 1 : 0
  }
}

/** Whether a process has a handler for the signal. Node.js has its own for SIGINT from the start, and none for SIGHUP. */
function catches(pid: number, signal: 'SIGINT' | 'SIGHUP'): boolean {
  const [, caught] = /^SigCgt:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return ((BigInt(`0x${caught}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
}

describe('an interrupted check', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s prints what there is and exits with 130', async (signal) => {
    const args = ['check', '--json', '--timeout', '1m', targetOf('accept'), targetOf('hang'), targetOf('stall')]
    const { child, until, ended } = start(args)
    await until(/\n/)
    child.kill(signal)
    const { code, stdout, stderr } = await ended
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: 'cancelpoint: interrupted: 1 checked, 2 cut off, 0 not begun\n',
    })
    const results = stdout.trimEnd().split('\n')
    expect(results.map((line) => (JSON.parse(line) as CheckResult).status)).toEqual(['up'])
  })

  it('shows people the partial table', async () => {
    const server = createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const up = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const { child, ended } = start(['check', '--timeout', '1m', up, targetOf('hang')])
    await once(server, 'connection')
    server.close()
    // What it has connected to is soon written down.
    await setTimeout(500)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/Interrupted: 1 target checked .* 1 up, 0 down; 1 cut off, 0 not begun/)
  })

  it('tells what it had not begun', async () => {
    const port = targetOf('hang').replace(/.*:/, '')
    const args = ['check', '--timeout', '1m', '--concurrency', '8', targetOf('accept'), `127.1.0.0/24:${port}`]
    const { child, ended } = start(args)
    await expect.poll(() => catches(child.pid!, 'SIGHUP'), { timeout: 10_000 }).toBe(true)
    await setTimeout(1_000)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/Interrupted: 1 target checked .*; 8 cut off, 248 not begun/)
  })

  it('says so where it cannot know how much it had not begun', async () => {
    const { child, until, ended } = start(['check', '--json', '-'])
    child.stdin!.write(`${targetOf('accept')}\n`)
    await until(/\n/)
    child.kill('SIGINT')
    expect((await ended).stderr).toMatch(/1 checked, 0 cut off, what was left of the input not begun/)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s is heard as soon as the command runs', async (signal) => {
    const { child, ended } = start(['check', targetOf('accept'), targetOf('hang')])
    while (!catches(child.pid!, 'SIGHUP')) await setTimeout(1)
    child.kill(signal)
    const { code, stdout, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
    // How far it had come by then is the machine's matter. Each of the two targets is accounted for.
    const told = /Interrupted: (\d) targets? checked .*; (\d) cut off, (\d) not begun/.exec(stdout)!
    expect(told.slice(1).reduce((sum, count) => sum + Number(count), 0)).toBe(2)
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
    await stalled(child.pid!)
    child.kill('SIGINT')
    await expect.poll(() => catches(child.pid!, 'SIGINT'), { timeout: 10_000 }).toBe(false)
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
