/** Signals during a wait and while its command runs; and the wait on a terminal. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { Sockets } from '../support/sockets.mjs'
import { startOnTerminal } from '../support/terminal.js'
import { bin, start } from './run.js'

const sockets = new Sockets()
afterEach(() => sockets.close())

let fleet: Fleet
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
})
afterAll(() => fleet.close())

const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']

/** Says when it listens, which signals it hears, and how many in all once half a second has gone by without one. */
const listener = `
  let heard = 0, timer = setTimeout(() => {}, 60000)
  for (const signal of ${JSON.stringify(passedOn)}) process.on(signal, () => {
    console.log('heard', signal)
    heard += 1
    clearTimeout(timer)
    timer = setTimeout(() => { console.log('in all ' + heard); process.exit(42) }, 500)
  })
  console.log('listens')
`

describe('a signal', () => {
  it.each(passedOn as NodeJS.Signals[])('%s is passed on to the command, once', async (signal) => {
    const waiting = start(['wait', '--quiet', targetOf('accept'), '--', process.execPath, '-e', listener])
    await waiting.until(/listens/)
    waiting.child.kill(signal)
    const { code, stdout, stderr } = await waiting.ended
    expect({ code, stdout, stderr }).toEqual({ code: 42, stdout: `listens\nheard ${signal}\nin all 1\n`, stderr: '' })
  })

  it('kills the command where that does not listen, and the wait says which one it was', async () => {
    const code = 'console.log("runs"); setInterval(() => {}, 1000)'
    const waiting = start(['wait', '--quiet', targetOf('accept'), '--', process.execPath, '-e', code])
    await waiting.until(/runs/)
    waiting.child.kill('SIGTERM')
    expect(await waiting.ended).toMatchObject({ code: 143, signal: null })
  })

  it('a second time is passed on a second time', async () => {
    const waiting = start(['wait', '--quiet', targetOf('accept'), '--', process.execPath, '-e', listener])
    await waiting.until(/listens/)
    waiting.child.kill('SIGINT')
    await waiting.until(/heard/)
    waiting.child.kill('SIGINT')
    expect((await waiting.ended).stdout).toContain('in all 2')
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s before the command runs cancels the wait', async (signal) => {
    const mark = join(sockets.directory(), 'ran')
    const waiting = start(['wait', targetOf('hang'), targetOf('stall'), '--', 'touch', mark])
    await expect.poll(waiting.stderr, { timeout: 20_000 }).toContain('waiting until')
    await setTimeout(300)
    waiting.child.kill(signal)
    const { code, signal: killedBy, stderr } = await waiting.ended
    expect({ code, killedBy, ran: existsSync(mark) }).toEqual({ code: 130, killedBy: null, ran: false })
    expect(stderr).toMatch(/cancelpoint: interrupted after [\d.]+ s: 2 of 2 targets were not up\n {2}TARGET/)
  })
})

/** A wait on a terminal that can be typed at. */
function onTerminal(args: readonly string[]) {
  const words = [process.execPath, bin, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  // The wait takes the shell's place: some shells would end at the keys that are meant for the wait.
  const script = spawn('script', ['-qec', `stty cols 100 rows 24 -echo; exec ${words.join(' ')}`, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let shown = ''
  script.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text
  })
  const ended = new Promise<{ code: number | null; shown: string }>((resolve) => {
    script.on('close', (code) => resolve({ code, shown }))
  })
  const until = (words: string) => expect.poll(() => shown, { timeout: 20_000 }).toContain(words)
  return { type: (text: string) => script.stdin.write(text), until, ended }
}

const ctrlC = '\u0003'
const ctrlBackslash = '\u001c'

describe('on a terminal', () => {
  it.each([
    ['Ctrl-C', ctrlC, 'SIGINT'],
    ['Ctrl-\\', ctrlBackslash, 'SIGQUIT'],
  ])('%s reaches the command once: from the terminal', async (_, key, signal) => {
    const { type, until, ended } = onTerminal(['wait', targetOf('accept'), '--', process.execPath, '-e', listener])
    await until('listens')
    type(key)
    const { code, shown } = await ended
    expect(code).toBe(42)
    expect(shown).toContain(`heard ${signal}`)
    expect(shown).toContain('in all 1')
  })

  it('Ctrl-C reaches a command that has a session of its own, once: from the wait', async () => {
    const command = ['setsid', process.execPath, '-e', listener]
    const { type, until, ended } = onTerminal(['wait', targetOf('accept'), '--', ...command])
    await until('listens')
    type(ctrlC)
    const { code, shown } = await ended
    expect(code).toBe(42)
    expect(shown).toContain('in all 1')
  })

  it('Ctrl-C cancels the wait', async () => {
    const { type, until, ended } = onTerminal(['wait', targetOf('hang'), '--', 'echo', 'ran'])
    await until('1 of 1 not up')
    type(ctrlC)
    const { code, shown } = await ended
    expect(code).toBe(130)
    expect(shown).toContain('interrupted after')
    expect(shown).not.toMatch(/^ran/m)
  })

  it.each([60, 80, 200])('of %i columns one line says what is missing, and leaves no trace', async (columns) => {
    const refusing = targetOf('refuse')
    const args = `wait --timeout 2s ${refusing} ${targetOf('accept')} unix:/no/such/${'long-name/'.repeat(7)}`
    const { raw, rows, broken } = await startOnTerminal(`"${process.execPath}" "${bin}" ${args}`, { columns }).ended
    expect(raw).toMatch(/\d:\d\d of 0:02, 2 of 3 not up: 127\.[\d.]+:\d+ \(ECONNREFUSED/)
    expect(broken).toEqual([])
    expect(rows[0]).toMatch(/^cancelpoint: timed out after/)
    expect(rows.join('\n')).not.toContain('of 0:02')
    const words = rows.join(' ').replace(/\s+/g, ' ')
    expect(words).toContain('TARGET STATE WHY WAITED TRIES')
    expect(words).toContain('Nothing listens there.')
  })

  it('that is dumb gets lines and no control sequences', async () => {
    const options = { columns: 80, env: { TERM: 'dumb', NO_COLOR: '1' } }
    const line = `"${process.execPath}" "${bin}" wait --timeout 1s ${targetOf('refuse')}`
    const { raw } = await startOnTerminal(line, options).ended
    expect(raw).toContain('waiting until')
    expect(raw).not.toContain('\u001b')
  })
})
