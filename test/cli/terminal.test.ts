import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatNames } from '#internal/cli/formats/format'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { type Screen, type Size, startOnTerminal } from '../support/terminal.js'
import { bin } from './run.js'

let fleet: Fleet
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-terminal-'))
const file = join(directory, 'targets.txt')
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
const longName = `${'a-long-label.'.repeat(6)}invalid:5432`
const badWords = ['nonsense', '127.0.0.1:99999', 'more-nonsense', 'https:/x', '[::1']

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
  const targets = ['accept', 'refuse', 'hang'].map(targetOf)
  writeFileSync(file, [...badWords.slice(0, 3), ...targets, ...badWords.slice(3)].join('\n'))
})
afterAll(async () => {
  await fleet.close()
  rmSync(directory, { recursive: true })
})

const widths = [60, 80, 200]
const command = (args: string) => `"${process.execPath}" "${bin}" ${args}`
const run = (args: string, size: Size): Promise<Screen> => startOnTerminal(command(args), size).ended

/** What stands on the screen, wherever its lines are broken. */
const wordsOf = ({ rows }: Screen) => rows.join(' ').replace(/\s+/g, ' ')

it('the bar goes on where an interrupted check ended', async () => {
  const journal = join(directory, 'journal.jsonl')
  await run(`check --quiet --resume ${journal} ${targetOf('refuse')}`, { columns: 100 })
  const more = `check --timeout 500ms --resume ${journal} ${targetOf('refuse')} ${targetOf('hang')}`
  expect((await run(more, { columns: 100 })).raw).toMatch(/\[=+-+\] 1 of 2, 1 not up, 0\/s/)
})

describe.each(widths)('on a terminal of %i columns', (columns) => {
  it('what is said of bad lines survives the bar and the table, and no word is broken', async () => {
    const screen = await run(`check --timeout 700ms --file ${file} ${longName}`, { columns })
    const { raw, rows, broken } = screen
    expect(raw).toMatch(/\[=*-*\] 3 of 4, 2 not up/)
    expect(broken).toEqual([])
    const words = wordsOf(screen)
    const places = badWords.map((word) => words.indexOf(`${word.startsWith('[') ? "'[::1'" : word}`))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    for (const number of [1, 2, 3, 7, 8]) expect(words).toContain(`targets.txt:${number}: `)
    expect(words.indexOf('targets.txt:8')).toBeLessThan(words.indexOf('TARGET STATUS CONNECT WHY'))
    for (const target of ['accept', 'refuse', 'hang'].map(targetOf)) expect(words).toContain(target)
    expect(words).toContain('Nobody answered in time. Check that the host is up')
    expect(rows.join('\n')).not.toMatch(/\[=*-*\]| of 4|\/s/)
  })

  it('the bar never leaves its line', async () => {
    const { raw } = await run(`check --timeout 500ms ${targetOf('hang')}`, { columns })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what this is about
    const sequences = new Set(raw.match(/\u001b(\[[\d;?]*[a-zA-Z]|[^[])/g)!.map((sequence) => sequence.at(-1)))
    expect([...sequences].filter((end) => end !== 'K' && end !== 'm')).toEqual([])
  })

  it('what --verbose tells survives', async () => {
    const port = targetOf('refuse').replace(/.*:/, '')
    const screen = await run(`check --verbose --timeout 500ms 127.1.1.0/26:${port} ${targetOf('hang')}`, { columns })
    expect(screen.broken).toEqual([])
    for (let host = 0; host < 64; host += 1) expect(wordsOf(screen)).toContain(`127.1.1.${host}:${port} down`)
  })

  it.each([
    '--help',
    'check --help',
    'wait --help',
    'lab --help',
    'errno',
    'errno UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'errno EAGAIN',
  ])('%s breaks no word', async (args) => {
    const { rows, broken } = await run(args, { columns })
    expect(rows.length).toBeGreaterThan(2)
    expect(broken).toEqual([])
  })

  it('what is wrong with the usage breaks no word', async () => {
    const screen = await run('errno ECONNREFUSD', { columns })
    expect(wordsOf(screen)).toContain('did you mean ECONNREFUSED?')
    expect(screen.broken).toEqual([])
  })
})

describe('on a terminal of 40 columns', () => {
  const columns = 40

  it('the line of progress folds: how many are done and the time are left', async () => {
    const { raw, rows, broken } = await run(`check --timeout 700ms ${targetOf('accept')} ${targetOf('hang')}`, {
      columns,
    })
    expect(raw).toMatch(/\r\S*1 of 2, 0 not up, \d+\/s, \d:\d\d left/)
    expect(raw).not.toContain('[=')
    expect(broken).toEqual([])
    expect(wordsOf({ raw, rows, broken })).toContain('2 targets checked')
  })

  it.each(formatNames.filter((name) => name !== 'table'))(
    '%s is as wide as it is, and its bar is away',
    async (name) => {
      const { raw, rows } = await run(`check --format ${name} --timeout 700ms ${targetOf('hang')}`, { columns })
      // Those that are written as they come would be torn by it.
      expect(/0 of 1/.test(raw)).toBe(!['json', 'csv'].includes(name))
      expect(rows.join('')).toContain('ETIMEDOUT')
      expect(rows.join('')).not.toContain('0 of 1,')
    },
  )

  it('the help of the command breaks no word', async () => {
    expect((await run('check --help', { columns })).broken).toEqual([])
  })
})

describe('how many there will be', () => {
  const columns = 80

  it('is known once a pipe has ended', async () => {
    const line = `{ echo ${targetOf('accept')}; sleep 2; echo ${targetOf('hang')}; } | ${command('check --timeout 1s')}`
    const { raw } = await startOnTerminal(line, { columns }).ended
    expect(raw).toMatch(/1 checked, 0 not up, \d+\/s, 0:0\d\r/)
    expect(raw).toMatch(/\[=+-+\] 1 of 2, 0 not up/)
  })

  it('is counted beside the check where they are very many', async () => {
    const many = `127.1.0.0/13:${targetOf('hang').replace(/.*:/, '')}`
    const { script, raw, ended } = startOnTerminal(command(`check --timeout 1s ${many}`), { columns })
    await expect.poll(raw, { timeout: 20_000 }).toMatch(/\d of more than 200,000, /)
    await expect.poll(raw, { timeout: 20_000 }).toMatch(/\d of 524,288, .* left/)
    script.kill('SIGKILL')
    await ended
  })

  it('is not told of names with all their addresses, for it is results that are counted', async () => {
    const { raw } = await run(`check --all-addresses --timeout 700ms ${targetOf('hang')}`, { columns })
    expect(raw).toContain('0 checked, 0 not up')
    expect(raw).not.toContain('0 of 1')
  })
})

it('without a terminal there is no progress', () => {
  const { stdout, stderr } = spawnSync(process.execPath, [bin, 'check', '--timeout', '700ms', targetOf('hang')])
  expect(stderr.toString()).toBe('')
  expect(stdout.toString()).not.toMatch(/0 of 1|\/s|left/)
})

describe('a terminal', () => {
  it('that is dumb gets no bar and no control sequences', async () => {
    const args = `check --timeout 400ms --file ${file}`
    const { raw } = await run(args, { columns: 80, env: { TERM: 'dumb', NO_COLOR: '1' } })
    expect(raw).not.toContain('\u001b')
    expect(raw.replaceAll('\r\n', '\n')).not.toContain('\r')
  })

  it('is told that the command reads from it', async () => {
    const screen = await run('check -', { columns: 80, input: `${targetOf('accept')}\n` })
    expect(wordsOf(screen)).toMatch(/Reading targets from this terminal, .*Ctrl-D.* 1 target checked .* 1 up/)
  })

  it('that shows JSON shows nothing else', async () => {
    const { rows } = await run(`check --json --timeout 400ms ${targetOf('hang')} ${targetOf('accept')}`, {
      columns: 4000,
    })
    expect(rows.map((row) => JSON.parse(row).status).sort()).toEqual(['down', 'up'])
  })

  it('that is closed ends the check', async () => {
    const pidFile = join(directory, 'pid')
    const line = `echo $$ > ${pidFile}; exec ${command(`check --timeout 1m ${targetOf('hang')}`)}`
    const { script, raw, ended } = startOnTerminal(line, { columns: 80 })
    await expect.poll(raw, { timeout: 10_000 }).toContain('0 of 1')
    script.kill('SIGKILL')
    await ended
    const pid = readFileSync(pidFile, 'utf8').trim()
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false)
  })
})
