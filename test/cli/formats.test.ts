/** What the command writes, in each of its formats, of real targets. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import tls from 'node:tls'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { CheckResult } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatNames } from '#internal/cli/formats/format'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import schema from '../../docs/check-result.schema.json' with { type: 'json' }
import { selfSigned } from '../support/certificate.js'
import { faultsOfJunit, faultsOfMetrics, lackingPromtool, lackingXmllint, recordsOfCsv } from '../support/formats.js'
import { hostileTexts, rawHostile } from '../support/hostile.js'
import { because } from '../support/servers.js'
import { run, start } from './run.js'

let fleet: Fleet
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-formats-'))
const list = join(directory, 'targets.txt')
const closed: (() => void)[] = []
const at = { up: '', down: '', hang: '', stall: '', tls: '', banner: '', misuse: '', hostilePath: '' }
const ca = join(directory, 'ca.pem')
const banner = Object.values(hostileTexts).join('')

async function listening(server: Server, where: string | number): Promise<void> {
  closed.push(() => server.close())
  await once(typeof where === 'string' ? server.listen(where) : server.listen(where, '127.0.0.1'), 'listening')
}
const portOf = (server: Server) => (server.address() as AddressInfo).port

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
  const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
  Object.assign(at, {
    up: targetOf('accept'),
    down: targetOf('refuse'),
    hang: targetOf('hang'),
    stall: targetOf('stall'),
  })
  const pair = selfSigned()
  writeFileSync(ca, pair.cert)
  const secure = tls.createServer(pair, (socket) => socket.on('error', () => {}).resume())
  await listening(secure, 0)
  at.tls = `localhost:${portOf(secure)}`
  const talker = createServer((socket) => socket.on('error', () => {}).end(banner))
  await listening(talker, 0)
  at.banner = `127.0.0.1:${portOf(talker)}`
  const path = join(directory, 'a\u001b[31m"|<b>\u202e.sock')
  await listening(
    createServer((socket) => socket.on('error', () => {}).resume()),
    path,
  )
  at.hostilePath = `unix:${path}`
  // A connect of a stream to it is a mistake of the caller, and so says nothing of the target.
  const fd = posix.socket('unix', 'dgram')
  closed.push(() => posix.close(fd))
  posix.bind(fd, { family: 'unix', path: join(directory, 'datagram.sock') })
  at.misuse = `unix:${join(directory, 'datagram.sock')}`
  writeFileSync(list, `${at.up} nonsense\n${at.hang}\n${at.misuse}\n`)
})
afterAll(async () => {
  for (const close of closed) close()
  await fleet.close()
  rmSync(directory, { recursive: true })
})

/** Up, down, unknown, words that are no targets, AF_UNIX, a name. */
const mixed = () => [
  '--timeout',
  '400ms',
  '--file',
  list,
  at.down,
  at.stall,
  at.hostilePath,
  'unix:@none',
  'localhost:1',
]

describe('--format json', () => {
  const validate = new Ajv2020().compile(schema)
  const results = (text: string): (CheckResult & { file?: string })[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  const requireValid = (all: CheckResult[]) => {
    for (const result of all) expect([result, validate(result), validate.errors]).toEqual([result, true, null])
  }

  it('is what its schema says: up, down, unknown, no target, AF_UNIX', async () => {
    const { code, stdout } = await run(['check', '--format', 'json', ...mixed()])
    expect(code).toBe(2)
    const all = results(stdout)
    expect(all).toHaveLength(9)
    requireValid(all)
    expect(all.find(({ target }) => target === 'nonsense')).toMatchObject({ status: 'unknown', file: list, line: 1 })
    expect(all.find(({ target }) => target === at.misuse)).toMatchObject({ status: 'unknown', code: 'EPROTOTYPE' })
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['up', 'down', 'unknown']))
  })

  it('is what its schema says: TLS, its certificate, steps', async () => {
    const trusting = { NODE_EXTRA_CA_CERTS: ca }
    const up = await run(['check', '--json', '--tls', at.tls], '', trusting)
    const untrusted = await run(['check', '--json', '--tls', at.tls, at.banner], '')
    const expiring = await run(['check', '--json', '--cert-min-days', '1000', at.tls], '', trusting)
    const steps = await run(['check', '--json', '--send', 'x', '--expect', 'never', at.banner, at.down], '')
    const all = [up, untrusted, expiring, steps].flatMap(({ stdout }) => results(stdout))
    requireValid(all)
    expect(all[0]).toMatchObject({ status: 'up', certificate: { subject: 'CN=localhost' }, tlsMs: expect.any(Number) })
    expect(all.some(({ code }) => code === 'ERR_CERT_EXPIRING')).toBe(true)
    expect(all.some(({ code, step }) => code === 'ERR_EXPECT' && step === 1)).toBe(true)
  })

  it('is what its schema says: labels, and the place of what is no target', async () => {
    const labels = { job: 'db', 'a"b': '\u001b[31m\u202e' }
    const file = join(directory, 'sd.json')
    writeFileSync(file, JSON.stringify([{ targets: [at.up, at.down, 'nonsense'], labels }]))
    const { code, stdout } = await run(['check', '--json', '--file', file], '')
    expect(code).toBe(2)
    expect(stdout).not.toMatch(rawHostile)
    requireValid(results(stdout))
    expect(results(stdout).find(({ target }) => target === at.up)!.labels).toEqual(labels)
    expect(results(stdout).find(({ target }) => target === 'nonsense')).toMatchObject({
      file,
      line: 1,
      column: expect.any(Number),
    })
    for (const format of formatNames) {
      const said = await run(['check', '--verbose', '--format', format, '--file', file], '')
      expect((said.stdout + said.stderr).replaceAll('\r\n', '\n')).not.toMatch(rawHostile)
      if (format === 'junit' && !lackingXmllint) expect(faultsOfJunit(said.stdout)).toBe('')
      if (format === 'prometheus' && !lackingPromtool) expect(faultsOfMetrics(said.stdout)).toBe('')
      if (format === 'prometheus') expect(said.stdout).toMatch(/^probe_success\{target="\S+",job="db",a_b=".*"\} 1$/m)
    }
  })
})

describe('each format', () => {
  const counts = { up: 2, down: 5, unknown: 1 }

  it('csv has a row a result', async () => {
    const { code, stdout } = await run(['check', '--format', 'csv', ...mixed()])
    expect(code).toBe(2)
    const records = recordsOfCsv(stdout)
    const count = (status: string) => records.filter((record) => record.status === status).length
    expect([count('up'), count('down'), count('unknown')]).toEqual([counts.up, counts.down, counts.unknown + 1])
    expect(records.find(({ target }) => target === 'nonsense')).toMatchObject({ file: list, line: '1', connectMs: '' })
  })

  it.skipIf(lackingXmllint)(`junit is valid by its schema${because(lackingXmllint)}`, async () => {
    const { code, stdout } = await run(['check', '--format', 'junit', ...mixed()])
    expect(code).toBe(2)
    expect(stdout).toContain('<testsuite name="cancelpoint check" tests="9" failures="5" errors="2"')
    expect(faultsOfJunit(stdout)).toBe('')
  })

  it.skipIf(lackingXmllint)(`junit is whole when it is interrupted${because(lackingXmllint)}`, async () => {
    const args = ['check', '--format', 'junit', '--timeout', '1m', at.up, at.down, at.hang, at.stall]
    const { child, ended } = start(args)
    // When it comes is the machine's matter: the document is whole, and every target accounted for.
    await setTimeout(1_500)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await ended
    expect(code).toBe(130)
    const told = /message="Interrupted: ((\d) checked, (\d) cut off, (\d) not begun)"/.exec(stdout)!
    const [checked = 0, ...rest] = told.slice(2).map(Number)
    expect(rest.reduce((sum, count) => sum + count, checked)).toBe(4)
    expect(stdout).toContain(`<testsuites name="cancelpoint check" tests="${checked + 1}" `)
    expect(faultsOfJunit(stdout)).toBe('')
    expect(stderr).toBe(`cancelpoint: interrupted: ${told[1]}\n`)
  })

  it('nagios is one line, and the exit code is its state', async () => {
    const check = (...args: string[]) => run(['check', '--format', 'nagios', '--timeout', '400ms', ...args], '')
    const { code, stdout } = await check(...mixed())
    expect(code).toBe(2)
    expect(stdout).toMatch(/^CANCELPOINT CRITICAL - 2 of 8 up, 5 down, 1 unknown, 1 word of the input is no target: /)
    expect(stdout).toMatch(/^[^|\n]* \| up=2;;;0;8 down=5;;;0;8 unknown=1;;;0;8 time=[^|\n]*\n$/)
    expect(await check(at.up)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^CANCELPOINT OK - 1 of 1 up \| /),
    })
    expect(await check(at.misuse)).toMatchObject({ code: 3, stdout: expect.stringContaining('UNKNOWN - 0 of 1 up') })
    const expiring = ['check', '--format', 'nagios', '--cert-min-days', '1000', at.tls]
    expect(await run(expiring, '', { NODE_EXTRA_CA_CERTS: ca })).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^CANCELPOINT WARNING - 0 of 1 up, 1 down: localhost:\d+ ERR_CERT_EXPIRING \| /),
    })
  })

  it.each([
    [['--timeout', '3x', 'a:1'], /--timeout .* is invalid/],
    [['--engine', 'st|eam', 'a:1'], /--engine .*st\\u007ceam/],
    [['--concurency', '1', 'a:1'], /unknown option/],
    [['-'], /no targets in the input/],
    [['-', '-'], /only once/],
    [['--json', 'a:1'], /two formats/],
  ])('nagios tells bad usage on standard output, and exits with 3: %j', async (args, message) => {
    for (const flags of [
      ['--format', 'nagios', ...args],
      [...args, '--format=nagios'],
    ]) {
      const { code, stdout, stderr } = await run(['check', ...flags], '')
      expect(code).toBe(3)
      expect(stdout).toMatch(/^CANCELPOINT UNKNOWN - [^|\n]+\n$/)
      expect(stdout).toMatch(message)
      expect(stderr).not.toBe('')
    }
  })

  it.skipIf(lackingPromtool)(`prometheus pleases promtool${because(lackingPromtool)}`, async () => {
    const { code, stdout } = await run(['check', '--format', 'prometheus', ...mixed()])
    expect(code).toBe(2)
    expect(faultsOfMetrics(stdout)).toBe('')
    expect(stdout.match(/^probe_success\{.*\} 1$/gm)).toHaveLength(counts.up)
    expect(stdout.match(/^probe_success\{.*\} 0$/gm)).toHaveLength(counts.down)
    const secure = await run(['check', '--format', 'prometheus', '--tls', at.tls], '', { NODE_EXTRA_CA_CERTS: ca })
    expect(faultsOfMetrics(secure.stdout)).toBe('')
    expect(secure.stdout).toMatch(/^probe_ssl_earliest_cert_expiry\{target="localhost:\d+"\} \d{10}$/m)
  })

  it.each(formatNames.filter((name) => name !== 'table'))(
    '%s has its word on standard error with --verbose',
    async (name) => {
      const flags = ['check', '--format', name, '--timeout', '400ms', at.up, at.down]
      const { stderr } = await run([...flags, '--verbose'])
      expect(stderr).toBe(`${at.down}  down  ECONNREFUSED (refused)  Nothing listens there.\n`)
      const quiet = await run([...flags, '--quiet'])
      expect(quiet.stderr).toBe('')
      expect(quiet.stdout).not.toBe('')
    },
  )

  it.each(formatNames)('%s shows what strangers sent, and does not pass it on', async (name) => {
    const typed = `${Object.values(hostileTexts).join('\n')}\n${at.hostilePath}\n${at.down}\n`
    const { stdout, stderr } = await run(['check', '--verbose', '--format', name, '--timeout', '400ms', '-'], typed)
    const spoken = await run(
      ['check', '--verbose', '--format', name, '--send', 'x', '--expect', 'never', at.banner],
      '',
    )
    const untrusted = await run(['check', '--verbose', '--format', name, '--tls', at.banner], '')
    for (const text of [stdout, stderr, spoken.stdout, spoken.stderr, untrusted.stdout, untrusted.stderr])
      expect(text.replaceAll('\r\n', '\n')).not.toMatch(rawHostile)
    expect(spoken.code).toBeGreaterThan(0)
  })
})

describe('--resume', () => {
  it('junit and prometheus have the results of both runs, and csv those of its own', async () => {
    for (const [format, shown] of [
      ['junit', 2],
      ['prometheus', 2],
      ['csv', 1],
    ] as const) {
      const journal = join(directory, `${format}.jsonl`)
      await run(['check', '--quiet', '--resume', journal, at.up], '')
      const { stdout } = await run(['check', '--quiet', '--format', format, '--resume', journal, at.up, at.down], '')
      const pattern = { junit: /<testcase /g, prometheus: /^probe_success\{/gm, csv: /^127\./gm }[format]
      expect(stdout.match(pattern)).toHaveLength(shown)
    }
  })
})

describe('two formats', () => {
  it('are refused, and one that is asked for twice is not', async () => {
    const { code, stderr } = await run(['check', '--json', '--format', 'csv', at.up], '')
    expect(code).toBe(2)
    expect(stderr).toBe('cancelpoint: --json and --format csv ask for two formats: give one of them\n')
    expect(await run(['check', '--json', '--format', 'json', at.up], '')).toMatchObject({ code: 0, stderr: '' })
    expect((await run(['check', '--format', 'yaml', at.up], '')).stderr).toMatch(/--format.*table, json, csv/)
  })
})

describe('what was typed', () => {
  it.each(Object.entries(hostileTexts))('is shown where it is refused: %s', async (_, text) => {
    const typed = text.replaceAll('\0', '')
    for (const args of [['--format', typed], ['--timeout', typed], [`--${typed}`], ['--file', typed], [typed]]) {
      const { code, stdout, stderr } = await run(['check', ...args], '')
      expect(code).toBe(2)
      expect(stdout + stderr).not.toMatch(rawHostile)
    }
  })
})

it('the page on the command has a section for each format', () => {
  const page = readFileSync(new URL('../../docs/command.md', import.meta.url), 'utf8')
  for (const name of formatNames) expect(page).toMatch(new RegExp(`^### ${name}$`, 'm'))
})
