import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { CheckResult } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { refusalOfNamespace } from '../support/namespace.js'
import { randomFrom } from '../support/random.js'
import { bin, run, start } from './run.js'

const seed = Number(process.env.CANCELPOINT_SEED ?? (Math.random() * 2 ** 31) | 0)
let fleet: Fleet
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
const portOf = (behaviour: string) => targetOf(behaviour).replace(/.*:/, '')
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-resume-'))
const newFile = (name: string) => join(directory, name)

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
})
afterAll(async () => {
  await fleet.close()
  rmSync(directory, { recursive: true })
})

const linesOf = (text: string): CheckResult[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
const journalOf = (file: string) => linesOf(readFileSync(file, 'utf8'))
const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0

describe('cancelpoint check --resume', () => {
  it('keeps results, checks nothing again that has one, and counts the earlier ones', async () => {
    const file = newFile('plain.jsonl')
    const first = await run(['check', '--resume', file, targetOf('accept'), targetOf('refuse')])
    expect(first).toMatchObject({ code: 1, stderr: '' })
    const kept = readFileSync(file, 'utf8')
    const again = await run(['check', '--resume', file, targetOf('accept'), targetOf('refuse')])
    expect(again).toMatchObject({ code: 1, stderr: `${file} has 2 results: their targets are not checked again.\n` })
    expect(again.stdout).toMatch(/2 targets checked .* 1 up, 1 down/)
    expect(readFileSync(file, 'utf8')).toBe(kept)
    const more = await run(['check', '--json', '--resume', file, targetOf('accept'), targetOf('accept')])
    expect(more).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/has 1 result of targets that are not in the input/),
    })
    expect(linesOf(more.stdout)).toHaveLength(1)
    expect(journalOf(file)).toHaveLength(3)
  })

  it('goes on with what --json printed', async () => {
    const file = newFile('printed.jsonl')
    const { stdout } = await run(['check', '--json', targetOf('accept'), 'nonsense'])
    writeFileSync(file, stdout)
    const { code, stdout: more } = await run(['check', '--json', '--resume', file, targetOf('accept'), 'nonsense'])
    expect(code).toBe(2)
    expect(linesOf(more)).toMatchObject([{ target: 'nonsense', code: 'ERR_INVALID_TARGET' }])
  })

  it('tells targets apart by their labels', async () => {
    const [file, list] = [newFile('labels.jsonl'), newFile('labels.json')]
    const groups = [1, 2].map((n) => ({ targets: [targetOf('accept')], labels: { n: String(n) } }))
    writeFileSync(list, JSON.stringify(groups.slice(0, 1)))
    await run(['check', '--resume', file, '--file', list])
    writeFileSync(list, JSON.stringify(groups))
    await run(['check', '--resume', file, '--file', list])
    expect(journalOf(file).map(({ labels }) => labels)).toEqual([{ n: '1' }, { n: '2' }])
  })

  it('refuses groups that could not be told apart', async () => {
    const config = newFile('alike.yml')
    writeFileSync(config, `groups:\n- targets: [${targetOf('accept')}]\n- targets: [a:1]\n  timeout: 1s\n`)
    const { code, stderr } = await run(['check', '--resume', newFile('alike.jsonl'), '--config', config])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /alike\.yml:3: this group has the labels of another, and another probe or timeout: give it labels/,
    )
    expect((await run(['check', '--config', config, '--quiet', '--timeout', '300ms'])).code).toBe(1)
  })

  it('has each target once after many a SIGKILL', async () => {
    const file = newFile('killed.jsonl')
    const random = randomFrom(seed)
    const list = newFile('killed.txt')
    writeFileSync(list, `127.1.0.0/20:${portOf('accept')}\n127.2.0.0/24:${portOf('refuse')}\n${targetOf('reset')}\n`)
    const args = ['check', '--quiet', '--resume', file, '--file', list, '--rate', '1500/s', '--concurrency', '200']
    let [kills, torn, inTheMiddle, least] = [0, 0, 0, 200]
    for (;;) {
      const before = sizeOf(file)
      const { child, ended } = start(args, '')
      const wait = least + random() * 600
      await Promise.race([ended, setTimeout(wait)])
      child.kill('SIGKILL')
      const { code, signal, stderr } = await ended
      if (stderr.includes('cut off')) torn += 1
      if (signal !== 'SIGKILL') {
        expect({ code, stdout: '' }).toEqual({ code: 1, stdout: '' })
        break
      }
      kills += 1
      if (sizeOf(file) > before) inTheMiddle += 1
      // On a machine that is busy the command takes longer to begin.
      else least += 50
    }
    console.log(`CANCELPOINT_SEED=${seed}: ${kills} kills, ${inTheMiddle} of them amid results, ${torn} torn lines`)
    expect(inTheMiddle).toBeGreaterThan(1)
    const targets = journalOf(file).map(({ target }) => target)
    expect(targets).toHaveLength(4_096 + 256 + 1)
    expect(new Set(targets).size).toBe(targets.length)
    const { code, stdout } = await run(['check', '--resume', file, '--file', list], '')
    expect(code).toBe(1)
    expect(stdout).toMatch(/4,353 targets checked/)
  }, 120_000)

  it('is whole after Ctrl-C, with all addresses too', async () => {
    const file = newFile('interrupted.jsonl')
    const port = portOf('accept')
    const args = [
      'check',
      '--all-addresses',
      '--rate',
      '200/s',
      '--resume',
      file,
      `127.3.0.0/24:${port}`,
      `localhost:${port}`,
    ]
    const { child, ended } = start(args, '')
    await expect.poll(() => sizeOf(file), { timeout: 10_000 }).toBeGreaterThan(1_000)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(130)
    const had = journalOf(file).length
    const [, notBegun] = /cut off, (\d+) not begun/.exec(stdout)!
    expect(Number(notBegun)).toBeLessThan(257)
    const again = await run(
      args.map((arg) => (arg === '200/s' ? '9000/s' : arg)),
      '',
    )
    expect(again.stderr).toMatch(new RegExp(`has ${had} results?: their targets are not checked again`))
    const addresses = journalOf(file).filter(({ target }) => target.startsWith('127.'))
    expect(new Set(addresses.map(({ target }) => target)).size).toBe(256)
    expect(addresses).toHaveLength(256)
    const named = journalOf(file).filter(({ target }) => target.startsWith('localhost'))
    expect(new Set(named.map(({ address }) => address)).size).toBe(named.length)
  })

  it('says what was cut off and not begun of what had no result', async () => {
    const file = newFile('counted.jsonl')
    const up = `127.4.0.0/28:${portOf('accept')}`
    await run(['check', '--quiet', '--resume', file, up])
    const args = ['check', '--json', '--timeout', '1m', '--concurrency', '8', '--resume', file]
    const { child, ended } = start([...args, up, `127.4.1.0/27:${portOf('hang')}`, targetOf('accept')])
    await expect.poll(() => journalOf(file).length, { timeout: 10_000 }).toBe(17)
    await setTimeout(300)
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect(code).toBe(130)
    expect(stderr).toMatch(/interrupted: 17 checked, 8 cut off, 24 not begun/)
  })

  it('is refused to all but one of many that start at once, after one was killed', async () => {
    const file = newFile('contended.jsonl')
    const args = ['check', '--json', '--timeout', '1m', '--resume', file, targetOf('hang')]
    const killed = start(args, '')
    await expect.poll(() => sizeOf(`${file}.lock`), { timeout: 10_000 }).toBeGreaterThan(0)
    killed.child.kill('SIGKILL')
    await killed.ended
    const runs = Array.from({ length: 6 }, () => start(args, ''))
    const refused: string[] = []
    for (const { ended } of runs) void ended.then(({ code, stderr }) => code === 2 && refused.push(stderr))
    await expect.poll(() => refused.length, { timeout: 20_000 }).toBe(5)
    await setTimeout(300)
    const left = runs.filter(({ child }) => child.exitCode === null)
    expect(left).toHaveLength(1)
    for (const text of refused) expect(text).toContain(`in use: process ${left[0]!.child.pid} `)
    left[0]!.child.kill('SIGTERM')
    expect((await left[0]!.ended).code).toBe(130)
    expect(sizeOf(`${file}.lock`)).toBe(0)
  })

  it('changes nothing of a file that is no journal', async () => {
    const file = newFile('list.txt')
    writeFileSync(file, `${targetOf('accept')}\n`)
    const { code, stdout, stderr } = await run(['check', '--resume', file, '--file', file])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^cancelpoint: .*list\.txt: line 1 is no result\. Nothing was checked or changed/)
    expect(readFileSync(file, 'utf8')).toBe(`${targetOf('accept')}\n`)
  })

  it('refuses a file that standard output goes to', () => {
    const file = newFile('twice.jsonl')
    const script = `"$0" "$1" check --json --resume ${file} ${targetOf('accept')} >> ${file}`
    const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, bin], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toMatch(/^cancelpoint: standard output goes into .*twice\.jsonl too: leave one of them out\n$/)
    expect(sizeOf(file)).toBe(0)
  })

  it('says so where it is no file', async () => {
    const { code, stderr } = await run(['check', '--resume', '/dev/full', targetOf('accept')])
    expect(code).toBe(2)
    expect(stderr).toBe('cancelpoint: /dev/full is no regular file: expected one for the results\n')
  })

  it.skipIf(refusalOfNamespace('-Urm'))('says so when the disk is full, and goes on where there is room', async () => {
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const script = `
      mount -t tmpfs -o size=64k,nr_inodes=8 none ${directory}/full || exit 99
      cd ${directory}/full
      "$0" "$1" check --quiet --resume j 127.5.0.0/21:${port}
      echo "code $?"
      wc -l < j
      tail -c 1 j | od -An -c
      mount -o remount,size=8m ${directory}/full
      "$0" "$1" check --quiet --resume j 127.5.0.0/21:${port}
      echo "code $?"
      sort j | wc -l
      grep -o '"target":"[^"]*"' j | sort -u | wc -l
      ls`
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-Urm', 'sh', '-c', `mkdir -p ${directory}/full; ${script}`, process.execPath, bin],
      {
        encoding: 'utf8',
      },
    )
    const [code, lines, end, ...rest] = stdout.trim().split(/\n\s*/)
    expect(stderr).toBe(
      'cancelpoint: j cannot be written: no space left on device. It has the results up to there: put that right, and run the same command again\n',
    )
    expect({ code, end }).toEqual({ code: 'code 2', end: '\\n' })
    expect(Number(lines)).toBeGreaterThan(50)
    expect(rest).toEqual(['code 1', '2048', '2048', 'j'])
  })
})
