import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import type { CheckResult } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { selfSigned } from '../support/certificate.js'
import { run } from './run.js'

let fleet: Fleet
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target
const portOf = (behaviour: string) => targetOf(behaviour).replace(/.*:/, '')
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-inputs-'))

beforeAll(async () => {
  fleet = await startFleet({ targets: 12 })
})
afterAll(async () => {
  await fleet.close()
  rmSync(directory, { recursive: true })
})

function fileOf(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const results = (stdout: string): CheckResult[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

describe('cancelpoint check of file_sd', () => {
  it.each(['json', 'yml', 'pipe'])('carries labels through to the results: %s', async (kind) => {
    const port = portOf('accept')
    const groups = [
      { targets: [`127.0.0.0/31:${port}`], labels: { job: 'web' } },
      { targets: [targetOf('refuse')], labels: { job: 'db', note: '\u001b[2J' } },
      { targets: [targetOf('accept')] },
    ]
    const text =
      kind === 'yml' ? groups.map((group) => `- ${JSON.stringify(group)}\n`).join('') : JSON.stringify(groups)
    const args = kind === 'pipe' ? ['-'] : ['--file', fileOf(`labels.${kind}`, text)]
    const { code, stdout, stderr } = await run(['check', '--json', ...args], kind === 'pipe' ? text : '')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).not.toContain('\u001b')
    const labels = results(stdout).map(({ target, labels }) => [target, labels])
    expect(new Map(labels as [string, unknown][])).toEqual(
      new Map<string, unknown>([
        [`127.0.0.0:${port}`, { job: 'web' }],
        [`127.0.0.1:${port}`, { job: 'web' }],
        [targetOf('refuse'), groups[1]!.labels],
        [targetOf('accept'), undefined],
      ]),
    )
  })

  it('tells file, line and column of what is wrong, checks the rest, and exits with 2', async () => {
    const file = fileOf('bad.json', `[{"targets":\n ["nonsense", "${targetOf('accept')}"]}, {"targts": []}]`)
    const { code, stdout, stderr } = await run(['check', '--json', '--file', file])
    expect(code).toBe(2)
    expect(stderr.split('\n')).toEqual([
      expect.stringContaining(`${file}:2:3: 'nonsense' is not a target`),
      expect.stringMatching(/bad\.json:2:\d+: 'targts' is not known here: did you mean targets\?/),
      expect.stringMatching(/bad\.json:2:\d+: the group has no targets/),
      '',
    ])
    const byStatus = new Map(results(stdout).map((result) => [result.status, result]))
    expect(byStatus.get('unknown')).toMatchObject({
      target: 'nonsense',
      code: 'ERR_INVALID_TARGET',
      file,
      line: 2,
      column: 3,
    })
    expect(byStatus.get('up')).toMatchObject({ target: targetOf('accept') })
  })
})

describe('cancelpoint check --config', () => {
  it('gives each group its labels, its probe and its time', async () => {
    const { cert, key } = selfSigned()
    fileOf('ca.pem', cert)
    const server = createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}).resume())
    onTestFinished(() => void server.close())
    await once(server.on('tlsClientError', () => {}).listen(0, '127.0.0.1'), 'listening')
    const secure = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const config = fileOf(
      'groups.yml',
      `
labels: { site: here }
groups:
  - { name: trusted, targets: ['${secure}'], labels: { job: a }, probe: { tls: { ca: ca.pem }, servername: localhost } }
  - { name: untrusted, targets: ['${secure}'], labels: { job: b }, probe: { tls: true } }
  - { name: careless, targets: ['${secure}'], labels: { job: c }, probe: { tls: { insecure: true } } }
  - { name: slow, targets: ['${targetOf('hang')}'], labels: { job: d }, timeout: 300ms }
  - { name: plain, targets: ['${targetOf('accept')}'] }
`,
    )
    const { code, stdout, stderr } = await run(['check', '--json', '--timeout', '10s', '--config', config])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const byJob = new Map(results(stdout).map((result) => [result.labels?.job, result]))
    expect(byJob.get('a')).toMatchObject({
      status: 'up',
      tlsMs: expect.any(Number),
      labels: { site: 'here', job: 'a' },
    })
    expect(byJob.get('b')).toMatchObject({ status: 'down', phase: 'tls', errnoClass: 'protocol' })
    expect(byJob.get('c')).toMatchObject({ status: 'up', tlsMs: expect.any(Number) })
    expect(byJob.get('d')).toMatchObject({ status: 'down', code: 'ETIMEDOUT' })
    expect(byJob.get(undefined)).toMatchObject({ status: 'up', labels: { site: 'here' } })
  })

  it.each<[string, string, string[], RegExp]>([
    [
      'certMinDays',
      'certMinDays: 14\n',
      [],
      /^cancelpoint: \S+days\.yml:1:14: certMinDays is given, and nothing speaks TLS/,
    ],
    ['--cert-min-days', '', ['--cert-min-days', '3'], /--cert-min-days is given, and nothing speaks TLS/],
  ])('%s where nothing speaks TLS is bad usage, of check and watch', async (_, line, flags, message) => {
    const config = fileOf('days.yml', `${line}targets: ['${targetOf('accept')}']\nprobe: { tls: false }\n`)
    for (const command of ['check', 'watch']) {
      const { code, stdout, stderr } = await run([command, ...flags, '--config', config])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr.replace(/\s+/g, ' ')).toMatch(message)
    }
  })

  it('asks the groups that speak TLS for the days of their certificates, and not the others', async () => {
    const { cert, key } = selfSigned()
    fileOf('ca.pem', cert)
    const server = createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}).resume())
    onTestFinished(() => void server.close())
    await once(server.on('tlsClientError', () => {}).listen(0, '127.0.0.1'), 'listening')
    const secure = `localhost:${(server.address() as AddressInfo).port}`
    const groups = `groups:
  - { targets: ['${secure}'], labels: { job: a }, probe: { tls: { ca: ca.pem } } }
  - { targets: ['${targetOf('accept')}'], labels: { job: b } }`
    const config = fileOf('days-asked.yml', `certMinDays: 30\n${groups}`)
    const jobs = async (...flags: string[]) => {
      const { stdout, stderr } = await run(['check', '-4', '--json', '--config', config, ...flags])
      expect(stderr).toBe('')
      return Object.fromEntries(results(stdout).map(({ labels, code, status }) => [labels!.job, code ?? status]))
    }
    expect(await jobs()).toEqual({ a: 'ERR_CERT_EXPIRING', b: 'up' })
    expect(await jobs('--cert-min-days', '1')).toEqual({ a: 'up', b: 'up' })
  })

  it('lets a group wait for longer than --timeout says', async () => {
    const config = fileOf('long.yml', `targets: ['${targetOf('hang')}']\ntimeout: 700ms`)
    const startedAt = performance.now()
    const { stdout } = await run(['check', '--json', '--timeout', '50ms', '--config', config])
    expect(performance.now() - startedAt).toBeGreaterThan(700)
    expect(results(stdout)).toMatchObject([{ code: 'ETIMEDOUT' }])
  })

  it('checks nothing where there is a mistake, tells each, and exits with 2', async () => {
    const config = fileOf('mistakes.yml', `targets: ['${targetOf('accept')}']\ntimeout: soon\nprob: {}\n`)
    const { code, stdout, stderr } = await run(['check', '--json', '--config', config])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.split('\n')).toEqual([
      `${config}:3:1: 'prob' is not known here: did you mean probe?`,
      expect.stringContaining(`${config}:2:10: timeout is 'soon': expected a duration such as`),
      `cancelpoint: ${config} has 2 mistakes: nothing was checked`,
      '',
    ])
  })

  it('refuses probes that speak beside --half-open', async () => {
    const config = fileOf('half.yml', `targets: ['${targetOf('accept')}']\nprobe: { tls: true }`)
    const { code, stderr } = await run(['check', '--half-open', '--config', config])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--half-open and the probes of --config exclude each other/)
  })
})

describe('cancelpoint check, which and in what order', () => {
  const targetsOf = (stdout: string) => results(stdout).map(({ target }) => target)

  it('-4 and -6 take the addresses of a name that are of their family', async () => {
    const target = `localhost:${portOf('accept')}`
    const [four, six] = [await run(['check', '--json', '-4', target]), await run(['check', '--json', '-6', target])]
    expect(results(four.stdout)).toMatchObject([{ status: 'up', address: '127.0.0.1' }])
    expect(results(six.stdout)[0]).not.toMatchObject({ address: '127.0.0.1' })
    expect(results((await run(['check', '--json', '-6', '127.0.0.1:80'])).stdout)).toMatchObject([
      { address: '127.0.0.1', attempts: 1 },
    ])
  })

  it('--seed repeats the order, and ranges take turns', async () => {
    const port = portOf('refuse')
    const words = [`127.1.0.0/24:${port}`, `127.1.1.0/25:${port}`]
    const args = (seed: string) => ['check', '--json', '--concurrency', '1', '--seed', seed, ...words]
    const [one, same, other] = [await run(args('7')), await run(args('7')), await run(args('8'))]
    const order = targetsOf(one.stdout)
    expect(order).toHaveLength(384)
    expect(new Set(order).size).toBe(384)
    expect(targetsOf(same.stdout)).toEqual(order)
    expect(targetsOf(other.stdout)).not.toEqual(order)
    for (let at = 0; at < 256; at += 2) {
      expect(order.slice(at, at + 2).filter((target) => target.startsWith('127.1.1.'))).toHaveLength(1)
    }
  })

  it('keeps the order written where there are no ranges', async () => {
    const words = [5, 3, 9, 1, 7].map((n) => `127.0.0.${n}:${portOf('refuse')}`)
    const { stdout } = await run(['check', '--json', '--concurrency', '1', ...words])
    expect(targetsOf(stdout)).toEqual(words)
  })

  it('--shard covers a list with no target twice', async () => {
    const port = portOf('refuse')
    const list = fileOf('shards.txt', `127.2.0.0/25:${port},1\nlocalhost:${port} LOCALHOST:1\n`)
    const shares = await Promise.all(
      [1, 2, 3].map((index) => run(['check', '--json', '--shard', `${index}/3`, '--file', list])),
    )
    const targets = shares.map(({ stdout }) => targetsOf(stdout))
    expect(new Set(targets.flat()).size).toBe(258)
    expect(targets.flat()).toHaveLength(258)
    const hosts = targets.map((share) => new Set(share.map((target) => target.toLowerCase().replace(/:\d+$/, ''))))
    expect(hosts.reduce((sum, { size }) => sum + size, 0)).toBe(129)
  })

  it.each([
    [['--shard', '0/3'], /--shard.*K\/N with K from 1 to N/],
    [['--shard', '4/3'], /--shard.*K\/N with K from 1 to N/],
    [['--shard', '1'], /--shard.*such as 1\/3/],
    [['--shard', '1/10001'], /--shard/],
    [['--seed', '-1'], /--seed/],
    [['--seed', '4294967296'], /--seed.*0 to 4294967295/],
    [['-4', '-6'], /-4.*cannot be used with.*-6/],
    [['--config', 'missing.yml'], /missing\.yml cannot be read: no such file or directory/],
  ])('%j exits with 2 and says why', async (args, message) => {
    const { code, stdout, stderr } = await run(['check', ...args, 'a:1'], '')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n +at /)
  })
})
