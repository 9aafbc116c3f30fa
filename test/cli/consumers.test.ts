/** Who reads what the command writes, and stops: in every format, with bounded memory, a clear word and the right exit code. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FormatName, formatNames } from '#internal/cli/formats/format'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { bin, start } from './run.js'

let fleet: Fleet
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
const portOf = (behaviour: string) => targetOf(behaviour).replace(/.*:/, '')

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
})
afterAll(() => fleet.close())

const streaming: readonly FormatName[] = ['json', 'csv']

/** A line of bash, in which `check` is the command. */
const bash = (line: string, format: FormatName): Promise<Ended> =>
  ended(['bash', '-c', `check() { "${process.execPath}" "${bin}" check --format ${format} "$@"; }; ${line}`])

type Ended = { status: number | null; stdout: string; stderr: string }

/** Runs a program to its end while the fleet accepts. */
function ended([program = '', ...args]: readonly string[]): Promise<Ended> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (bytes) => (said[stream] += bytes))
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, ...said })))
}

const statusOf = (pid: number, name: string) =>
  new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
const catches = (pid: number, signal: 'SIGINT' | 'SIGHUP') =>
  ((BigInt(`0x${statusOf(pid, 'SigCgt')}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
const residentMiB = (pid: number) => Number(statusOf(pid, 'VmRSS')) / 1_024

/** Resolves once a process writes no more, which it does where its reader sleeps. */
async function stalled(pid: number): Promise<void> {
  const written = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1])
  let before = 0
  for (let quiet = 0; quiet < 10; before = written()) {
    await setTimeout(50)
    quiet = before > 32_768 && written() === before ? quiet + 1 : 0
  }
}

describe.each(formatNames)('%s', (format) => {
  it('a full disk is told, and is bad', async () => {
    const { status, stderr } = await bash(`check ${targetOf('accept')} > /dev/full`, format)
    expect(status).toBe(format === 'nagios' ? 3 : 2)
    expect(stderr).toBe('cancelpoint: standard output cannot be written: no space left on device (ENOSPC)\n')
  })

  it('a reader that leaves is no failure: | head', async () => {
    const many = `127.1.0.0/20:${portOf('accept')}`
    const { stdout, stderr } = await bash(`{ check ${many}; echo "exited with $?" >&2; } | head -n 1`, format)
    expect(stderr).toBe('exited with 0\n')
    expect(stdout.split('\n')).toHaveLength(2)
  })

  it('a reader that has left already leaves the exit code as it is', async () => {
    const line = `{ sleep 0.1; check ${targetOf('refuse')}; echo "exited with $?" >&2; } | true`
    expect((await bash(line, format)).stderr).toBe(`exited with ${format === 'nagios' ? 2 : 1}\n`)
  })

  it('a closed standard output, which Node.js takes for /dev/null, leaves the exit code as it is', async () => {
    for (const [behaviour, code] of [
      ['accept', 0],
      ['refuse', format === 'nagios' ? 2 : 1],
    ] as const) {
      expect(await bash(`check ${targetOf(behaviour)} >&-`, format)).toEqual({ status: code, stdout: '', stderr: '' })
      expect(await bash(`check ${targetOf(behaviour)} >&- 2>&- <&-`, format)).toMatchObject({
        status: code,
        stdout: '',
      })
    }
  })

  it('a reader that sleeps is waited for with bounded memory, and a signal says so', async () => {
    const many = ['--timeout', '1m', `127.1.0.0/14:${portOf('accept')}`]
    const { child, ended: end, stderr } = start(['check', '--format', format, ...many])
    if (!streaming.includes(format)) {
      // What is written at the end is short until then. A reader that sleeps is met there: a signal ends the check before.
      await expect.poll(() => catches(child.pid!, 'SIGHUP'), { timeout: 10_000 }).toBe(true)
      await setTimeout(1_000)
      child.kill('SIGINT')
      expect((await end).code).toBe(format === 'nagios' ? 3 : 130)
      return
    }
    child.stdout!.pause()
    await stalled(child.pid!)
    const before = residentMiB(child.pid!)
    await setTimeout(1_000)
    expect(residentMiB(child.pid!) - before).toBeLessThan(8)
    expect(before).toBeLessThan(200)
    child.kill('SIGINT')
    await expect.poll(stderr, { timeout: 10_000 }).toContain('waits for standard output to be read')
    expect(child.exitCode).toBeNull()
    child.stdout!.resume()
    expect((await end).code).toBe(130)
  })

  it('a standard error that sleeps is waited for too', async () => {
    const many = ['--verbose', `127.1.0.0/14:${portOf('refuse')}`]
    const { child, ended: end } = start(['check', '--format', format, ...many])
    // People's lines stand in the table's own output.
    const slow = format === 'table' ? child.stdout! : child.stderr!
    slow.pause()
    await stalled(child.pid!)
    const before = residentMiB(child.pid!)
    await setTimeout(1_000)
    expect(residentMiB(child.pid!) - before).toBeLessThan(8)
    child.kill('SIGINT')
    await expect.poll(() => catches(child.pid!, 'SIGINT'), { timeout: 10_000 }).toBe(false)
    child.kill('SIGINT')
    slow.resume()
    expect((await end).signal).toBe('SIGINT')
  })

  it('a terminal that is closed ends it: its SIGHUP is an interruption', async () => {
    const python = `import os, pty, signal, sys, time
pid, leader = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
def catches():
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16) >> (signal.SIGHUP - 1) & 1
while not catches(): time.sleep(0.01)
time.sleep(1)
os.close(leader)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
    const args = [process.execPath, bin, 'check', '--format', format, '--timeout', '1m', targetOf('hang')]
    const { stdout } = await ended(['python3', '-c', python, ...args])
    expect(stdout).toBe(format === 'nagios' ? '3\n' : '130\n')
  })

  it('a terminal that has gone is told where it can be, and is bad', async () => {
    // What stands on standard output is a terminal whose other end is closed: writing to it is EIO.
    const python = `import os, sys
leader, follower = os.openpty()
os.close(leader)
os.dup2(follower, 1)
os.execv(sys.argv[1], sys.argv[1:])`
    const args = [process.execPath, bin, 'check', '--format', format, targetOf('accept')]
    const { status, stderr } = await ended(['python3', '-c', python, ...args])
    expect(stderr).toBe('cancelpoint: standard output cannot be written: i/o error (EIO)\n')
    expect(status).toBe(format === 'nagios' ? 3 : 2)
  })
})

it.each(streaming)('a full disk ends a long check: %s', async (format) => {
  const { status, stderr } = await bash(`check 127.1.0.0/16:${portOf('accept')} > /dev/full`, format)
  expect(status).toBe(2)
  expect(stderr).toContain('no space left on device')
})

it('a full disk where junit keeps its cases is told, with what to do', async () => {
  const many = `127.1.0.0/21:${portOf('refuse')}`
  const { status, stderr } = await bash(`TMPDIR=/nowhere check ${many}`, 'junit')
  expect(status).toBe(2)
  expect(stderr).toMatch(
    /^cancelpoint: results cannot be kept in \/nowhere until the end: .*TMPDIR names another directory\n$/,
  )
})
