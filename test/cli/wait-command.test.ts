/** The command that a wait runs: what it is given, what becomes of signals, and what the wait ends with. */
import { chmodSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import * as posix from 'cancelpoint/posix'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { type freshName, Sockets } from '../support/sockets.mjs'
import { run, start } from './run.js'

const sockets = new Sockets()
afterEach(() => sockets.close())

let fleet: Fleet
let up: string
beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
  up = fleet.targets.find(({ behaviour }) => behaviour === 'accept')!.target
})
afterAll(() => fleet.close())

const node = (code: string, ...args: string[]) => ['wait', '--quiet', up, '--', process.execPath, '-e', code, ...args]

function file(text: string, mode: number): string {
  const path = join(sockets.directory(), 'program')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('the command of cancelpoint wait', () => {
  it('gets its arguments as they are: no shell is between', async () => {
    const args = ['$HOME', '*', 'a b', '', '--quiet', '--', '-4']
    const { code, stdout } = await run(node('console.log(JSON.stringify(process.argv.slice(1)))', '--', ...args))
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(args)
  })

  it('gets the environment, standard input, output and error', async () => {
    const code = 'process.stdin.pipe(process.stdout); console.error(JSON.stringify(process.env))'
    const { stdout, stderr } = await run(node(code), 'what is typed')
    expect(stdout).toBe('what is typed')
    expect(JSON.parse(stderr)).toEqual(process.env)
  })

  it.each([0, 1, 7, 255])('ends the wait with its own exit code: %i', async (code) => {
    expect(await run(node(`process.exit(${code})`))).toMatchObject({ code, stderr: '' })
  })

  it.each([
    ['SIGKILL', 137],
    ['SIGTERM', 143],
  ])('ends the wait with 128 and the number of the signal that killed it: %s', async (signal, code) => {
    expect(await run(node(`process.kill(process.pid, '${signal}')`))).toMatchObject({ code, signal: null })
  })

  it.each([
    ['does not exist', () => 'no-such-command-anywhere', 127, 'no such command'],
    ['is not where it is said to be', () => join(sockets.directory(), 'none'), 127, 'no such command'],
    ['is not executable', () => file('#!/bin/sh\n', 0o644), 126, 'not executable'],
    ['is a directory', () => sockets.directory(), 126, 'is a directory'],
    ['names an interpreter that does not exist', () => file('#!/no/such/interpreter\n', 0o755), 126, 'interpreter'],
    ['is no word', () => '\u001b[31m', 127, '\\u001b[31m cannot be run'],
  ])('that %s cannot be run', async (_, make, code, words) => {
    const ended = await run(['wait', '--quiet', up, '--', make()])
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(words) })
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('inherits no descriptor beyond the three', async () => {
    const { stdout } = await run(['wait', '--quiet', up, '--', 'ls', '/proc/self/fd'])
    // The fourth is the directory that is being read. Node.js itself lets through what this process was given beyond 15.
    const given = readdirSync('/proc/self/fd').map(Number)
    const own = stdout.split('\n').filter((fd) => fd !== '' && !(Number(fd) > 15 && given.includes(Number(fd))))
    expect(own).toEqual(['0', '1', '2', '3'])
  })

  it('finds nothing left of the wait beside it: no socket, no thread', async () => {
    const full = sockets.listener('unix', { backlog: 0 })
    const address = posix.getsockname(full) as ReturnType<typeof freshName>
    await posix.connect(sockets.open('unix'), address)
    const code = 'console.log("ran"); setInterval(() => {}, 1000)'
    // A full backlog makes it start lanes, and the worker that owns them.
    const waiting = start(['wait', '--reverse', `unix:@${address.path.slice(1)}`, '--', process.execPath, '-e', code])
    const pid = waiting.child.pid!
    const threads = () => readdirSync(`/proc/${pid}/task`).length
    let most = 0
    await expect.poll(waiting.stderr, { timeout: 20_000 }).toContain('waiting until')
    // Late enough for the connect to wait there by then, on any machine that is not stopped meanwhile.
    globalThis.setTimeout(() => posix.close(full), 1_000)
    while (!waiting.stdout().includes('ran') && waiting.child.exitCode === null) {
      most = Math.max(most, threads())
      await setTimeout(5)
    }
    // The reactor, a lane and the worker, at the least.
    expect(threads()).toBeLessThanOrEqual(most - 3)
    const open = readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2)
    expect(open.filter((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:'))).toEqual([])
    waiting.child.kill('SIGTERM')
    expect((await waiting.ended).code).toBe(143)
  })
})
