import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CheckResult } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { engines } from '../support/warm-up.js'
import { bin, run } from './run.js'

let fleet: Fleet
let up: string[]
let refusing: string
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-cli-'))

beforeAll(async () => {
  fleet = await startFleet({ targets: 40 })
  up = fleet.targets.filter(({ behaviour }) => behaviour === 'accept').map(({ target }) => target)
  refusing = fleet.targets.find(({ behaviour }) => behaviour === 'refuse')!.target
})
afterAll(async () => {
  await fleet.close()
  rmSync(directory, { recursive: true })
})

const results = (stdout: string): CheckResult[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

describe('cancelpoint check', () => {
  it('exits with 0 and a table when all are up', async () => {
    const { code, stdout, stderr } = await run(['check', up[0]!, up[1]!])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/TARGET +STATUS +CONNECT/)
    expect(stdout).toMatch(/2 targets checked in .* 2 up, 0 down/)
    expect(stdout).toMatch(/p50 +p90 +p99 +max/)
  })

  it('exits with 1 and says why when one is not', async () => {
    const { code, stdout } = await run(['check', up[0]!, refusing])
    expect(code).toBe(1)
    expect(stdout).toContain('ECONNREFUSED (refused)')
    expect(stdout).toContain('1 up, 1 down')
  })

  it.each(engines)('prints JSON lines and nothing else on standard output, %s engine', async (engine) => {
    const { code, stdout, stderr } = await run(['check', '--json', '--engine', engine, up[0]!, refusing])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const byTarget = new Map(results(stdout).map((result) => [result.target, result]))
    expect(byTarget.size).toBe(2)
    expect(byTarget.get(up[0]!)).toMatchObject({ status: 'up', attempts: 1, connectMs: expect.any(Number) })
    expect(byTarget.get(refusing)).toMatchObject({ status: 'down', code: 'ECONNREFUSED', errnoClass: 'refused' })
  })

  it('reads a pipe when no targets are given', async () => {
    const { code, stdout } = await run(['check', '--json'], `# mine\n${up[0]}\n\n${up[1]} # too\n`)
    expect(code).toBe(0)
    expect(
      results(stdout)
        .map(({ target }) => target)
        .sort(),
    ).toEqual([up[0], up[1]].sort())
  })

  it.each([[['-']], [['--file', '-']]])('reads standard input for %j', async (argument) => {
    const { code, stdout } = await run(['check', '--json', ...argument], `${up[0]}\n`)
    expect(code).toBe(0)
    expect(results(stdout)).toHaveLength(1)
  })

  it('reports bad lines with file and line, checks the rest, and exits with 2', async () => {
    const file = join(directory, 'targets.txt')
    writeFileSync(file, `${up[0]}\nnonsense\n${up[1]}\n127.0.0.1:99999\n`)
    const { code, stdout, stderr } = await run(['check', '--json', '--file', file])
    expect(code).toBe(2)
    const all = results(stdout)
    expect(all).toHaveLength(4)
    expect(all.filter(({ code }) => code === 'ERR_INVALID_TARGET')).toMatchObject([
      { target: 'nonsense', status: 'unknown', errnoClass: 'misuse', attempts: 0, file, line: 2 },
      { target: '127.0.0.1:99999', reason: expect.stringMatching(/expected/), file, line: 4 },
    ])
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/targets\.txt:2: .*expected/)
    expect(lines[1]).toMatch(/targets\.txt:4: .*expected/)
  })

  it('has a record for every word of the input that is no target', async () => {
    const { code, stdout } = await run(['check', '--json', 'nonsense', '-'], `a b\n${up[0]}\n${'x'.repeat(70_000)}\n`)
    expect(code).toBe(2)
    const bad = results(stdout).filter(({ code }) => code === 'ERR_INVALID_TARGET')
    const fromInput = { file: 'standard input' }
    expect(bad).toMatchObject([
      { target: 'nonsense' },
      { target: 'a', ...fromInput, line: 1 },
      { target: 'b', ...fromInput, line: 1 },
      { target: '', ...fromInput, line: 3 },
    ])
    expect(bad[0]).not.toHaveProperty('file')
  })

  it('prints nothing with --quiet, and exits as ever', async () => {
    expect(await run(['check', '--quiet', up[0]!, refusing])).toMatchObject({ code: 1, stdout: '', stderr: '' })
    expect(await run(['check', '--quiet', up[0]!])).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('tells every failure with --verbose, beside JSON on standard error', async () => {
    const [, address] = /^(127\.\d+\.\d+)\./.exec(refusing)!
    const many = `${address}.0/26:${refusing.replace(/.*:/, '')}`
    const line = /^127\.\S+ {2}down {2}ECONNREFUSED \(refused\) {2}Nothing listens there\.$/gm
    const text = await run(['check', '--verbose', many])
    expect(text.stdout.match(line)).toHaveLength(64)
    expect(text.stdout).toContain('64 targets checked')
    const json = await run(['check', '--verbose', '--json', many])
    expect(json.stderr.match(line)).toHaveLength(64)
    expect(results(json.stdout)).toHaveLength(64)
  })

  it('says that it leaves standard input alone when targets are given beside it', async () => {
    const { code, stderr } = await run(['check', up[0]!], `${refusing}\n`)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^Standard input was not read.* add - /)
    expect((await run(['check', up[0]!], '')).stderr).toBe('')
    // What a loop gives to each command in it stays there.
    const loop = `while read target; do "$0" "$1" check --json $target; done < <(echo ${up[0]}; echo ${up[1]})`
    const { stdout } = spawnSync('bash', ['-c', loop, process.execPath, bin])
    expect(results(stdout.toString()).map(({ target }) => target)).toEqual([up[0], up[1]])
  })

  it('says without a stack that it cannot write', async () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"$0" "$1" check ${up[0]} > /dev/full`, process.execPath, bin])
    expect(status).toBe(2)
    expect(stderr.toString()).toMatch(/^cancelpoint: .*no space left on device.*\n$/)
  })

  it('expands ranges', async () => {
    const [, address, port] = /^(127\.\d+\.\d+)\.\d+:(\d+)$/.exec(up[0]!)!
    const { stdout } = await run(['check', '--json', `${address}.8/29:${port}`])
    expect(results(stdout).filter(({ status }) => status === 'up')).toHaveLength(8)
  })

  it('finds a target that lets two SYNs go unanswered up with --retries, and down without', async () => {
    // Each has its own count of SYNs.
    const [one, other] = fleet.targets.flatMap(({ target, behaviour }) => (behaviour === 'slow' ? [target] : []))
    const without = await run(['check', '--json', '--timeout', '300ms', one!])
    expect(results(without.stdout)).toMatchObject([{ status: 'down', code: 'ETIMEDOUT', attempts: 1 }])
    const { code, stdout } = await run(['check', '--json', '--timeout', '300ms', '--retries', '3', other!])
    expect(results(stdout)).toMatchObject([{ status: 'up', attempts: 3 }])
    expect(code).toBe(0)
  })

  it('makes no more connects at once, or a second, than --concurrency and --rate say', async () => {
    const startedAt = performance.now()
    const { code, stdout } = await run(['check', '--json', '--rate', '20/s', '--concurrency', '2', ...up.slice(0, 12)])
    // Two at once, then one every 50 ms.
    expect(performance.now() - startedAt).toBeGreaterThan(500)
    expect(results(stdout)).toHaveLength(12)
    expect(code).toBe(0)
  })

  it('has 1,024 hanging targets in flight at once, so that the one behind them waits for one timeout', async () => {
    const port = fleet.targets.find(({ behaviour }) => behaviour === 'hang')!.target.replace(/.*:/, '')
    const { code, stdout } = await run(['check', '--json', '--timeout', '3s', `127.2.0.0/22:${port}`, up[0]!])
    expect(code).toBe(1)
    const all = results(stdout)
    expect(all).toHaveLength(1_025)
    const startedAt = (which: CheckResult[]) => which.map((result) => result.startedAt).sort((a, b) => a - b)
    const hanging = startedAt(all.filter(({ status }) => status === 'down'))
    expect(hanging).toHaveLength(1_024)
    expect(hanging.at(-1)! - hanging[0]!).toBeLessThan(3_000)
  })

  it('checks the lab', async () => {
    const { code, stdout } = await run(['check', '--lab', '--timeout', '300ms'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/240 targets checked/)
    for (const word of ['refused', 'timed-out', 'ECONNREFUSED:', '--json prints every result'])
      expect(stdout).toContain(word)
  })
})

describe('cancelpoint check --close', () => {
  /** A server's own account of how connections ended, and its target. */
  async function listening() {
    const ends: string[] = []
    const server = createServer((socket) => {
      socket.resume().once('end', () => ends.push('end'))
      socket.once('error', (error: NodeJS.ErrnoException) => ends.push(error.code!))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const seen = (count: number) => expect.poll(() => ends, { timeout: 5_000 }).toHaveLength(count)
    return { target: `127.0.0.1:${port}`, seen, ends }
  }

  describe.each(engines)('%s engine', (engine) => {
    it.each([
      { flags: [], sees: 'ECONNRESET' },
      { flags: ['--close', 'reset'], sees: 'ECONNRESET' },
      { flags: ['--close', 'fin'], sees: 'end' },
    ])('$flags: the server sees $sees', async ({ flags, sees }) => {
      const { target, seen, ends } = await listening()
      const { code } = await run(['check', '--engine', engine, ...flags, target, target])
      expect(code).toBe(0)
      await seen(2)
      expect(ends).toEqual([sees, sees])
    })

    // It has no handler for the error of a socket, as many a small server has none.
    const plain = `
      const server = require('node:net').createServer((socket) => socket.resume().on('end', () => console.log('end')))
      server.listen(0, '127.0.0.1', () => console.log(server.address().port))
      process.stdin.resume().on('end', () => process.exit(0))`

    it.each([
      { close: 'fin', ended: { code: 0, said: 'end\nend\n' } },
      { close: 'reset', ended: { code: 1, said: '' } },
    ])('--close $close: a server without an error handler ends with $ended.code', async ({ close, ended }) => {
      const child = spawn(process.execPath, ['-e', plain], { stdio: ['pipe', 'pipe', 'ignore'] })
      onTestFinished(() => void child.kill())
      const exit = once(child, 'close')
      child.stdin.on('error', () => {})
      const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
      let said = ''
      child.stdout.on('data', (text) => {
        said += text
      })
      const target = `127.0.0.1:${Number(line)}`
      const args = ['check', '--engine', engine, '--concurrency', '1', '--close', close]
      await run([...args, target, ...(close === 'fin' ? [target] : [])])
      if (close === 'fin') await expect.poll(() => said, { timeout: 5_000 }).toBe(ended.said)
      child.stdin.end()
      const [code] = await exit
      expect({ code, said }).toEqual(ended)
    })
  })

  it('the table says where many connections to one endpoint were reset', async () => {
    const { target } = await listening()
    const many = Array.from({ length: 30 }, () => target)
    const said = `30 connections to ${target} were ended by a reset.`
    expect((await run(['check', ...many])).stdout).toContain(said)
    expect((await run(['check', '--close', 'reset', ...many])).stdout).toContain(said)
    for (const flags of [['--close', 'fin'], ['--half-open'], ['--json']])
      expect((await run(['check', ...flags, ...many])).stdout).not.toContain('by a reset')
  })
})

describe('cancelpoint check, bad usage', () => {
  it.each([
    [['check', '--timeout', '3x', 'a:1'], /--timeout.*500ms/],
    [['check', '--timeout', '0s', 'a:1'], /--timeout.*1ms to 10m/],
    [['check', '--concurrency', '0', 'a:1'], /--concurrency.*whole number from 1/],
    [['check', '--concurrency', 'many', 'a:1'], /--concurrency.*whole number from 1/],
    [['check', '--retries', '-1', 'a:1'], /--retries.*whole number from 0/],
    [['check', '--retries', 'few', 'a:1'], /--retries.*whole number from 0/],
    [['check', '--rate', '0', 'a:1'], /--rate.*above 0/],
    [['check', '--rate', '5/m', 'a:1'], /--rate.*such as 500\/s/],
    [['check', '--engine', 'steam', 'a:1'], /--engine.*blocking/],
    [['check', '--file', join(directory, 'missing')], /missing: cannot be read: no such file/],
    [['check', '-', '-'], /only once/],
    [['check', '--quiet', '--verbose', 'a:1'], /--quiet.*cannot be used with.*--verbose/],
    [['check', '--close', 'rudely', 'a:1'], /--close.*reset, fin/],
    [['check', '--close', 'fin', '--half-open', 'a:1'], /--close.*cannot be used with.*--half-open/],
    [['check', '--half-open', '--tls', 'a:1'], /--half-open.*cannot be used with.*--tls/],
    [['check', '--half-open', '--servername', 'a', 'a:1'], /--half-open.*cannot be used with.*--servername/],
    [['check', '--servername', '10.0.0.1', 'a:1'], /--servername.*host name/],
    [['check', '--servername', '', 'a:1'], /--servername.*host name/],
    [['check'], /no targets/],
    [['chekc'], /unknown command/],
  ])('%j exits with 2 and says why', async (args, message) => {
    const { code, stdout, stderr } = await run(args, '')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n +at /)
  })

  it.each(['check', 'check -'])('%s of a directory as standard input exits with 2 and says so', (command) => {
    const { status, stderr } = spawnSync('sh', ['-c', `"$0" "$1" ${command} < ${directory}`, process.execPath, bin])
    expect(status).toBe(2)
    expect(stderr.toString()).toMatch(/^cancelpoint: standard input is a directory.*\n$/)
  })

  it.each([
    [['--version'], /^0\.\d+\.\d+\n$/],
    [['--help'], /Examples:/],
    [['check', '--help'], /Exit codes:/],
  ])('%j exits with 0', async (args, text) => {
    const { code, stdout } = await run(args, '')
    expect(code).toBe(0)
    expect(stdout).toMatch(text)
  })
})
