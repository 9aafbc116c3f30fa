/** A process whose connects all go through cancelpoint, and what it gains over Node's own. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent } from 'cancelpoint/http'
import { createConnection } from 'cancelpoint/net'
import * as posix from 'cancelpoint/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { selfSigned } from '../support/certificate.js'
import { listenersOn } from '../support/counts.js'
import { inet, inetName, Sockets } from '../support/sockets.mjs'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-register-'))

beforeAll(() => {
  const { cert, key } = selfSigned()
  writeFileSync(join(directory, 'cert'), cert)
  writeFileSync(join(directory, 'key'), key)
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Step {
  name: string
  told: unknown
  attempts: string[]
}

function run(flags: string[], options?: string, args = [fixture('register'), directory]) {
  const env: NodeJS.ProcessEnv = { ...process.env, CANCELPOINT_REGISTER: options }
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, ...args], {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

const steps = (stdout: string): Step[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
const importOnce = ['--import', fixture('register-early'), '--import', 'cancelpoint/register']

const told = (engine: string, where: 'main' | 'worker'): Step[] => [
  { name: 'fetch', told: 'plain', attempts: [engine] },
  { name: 'http.get', told: 'plain', attempts: [engine] },
  { name: 'https.get', told: 'secure', attempts: [engine] },
  { name: 'tls.connect', told: 'connected', attempts: [engine] },
  { name: 'a path', told: 'local', attempts: [engine] },
  { name: 'tls to a path that speaks none', told: 'failed', attempts: [engine] },
  { name: 'new net.Socket().connect()', told: 'connected', attempts: [engine] },
  { name: 'a socket of before the import', told: 'connected', attempts: [engine] },
  { name: 'tls with a signal that has aborted', told: 'ABORT_ERR', attempts: [] },
  { name: 'an error', told: ['ECONNREFUSED', 'refused', 1], attempts: [engine] },
  ...(where === 'main' ? told(engine, 'worker') : []),
  { name: 'after unregister()', told: 'connected', attempts: [] },
]

describe('node --import cancelpoint/register', () => {
  it.each(engines)('takes every connect of the process and of its workers: %s engine', (engine) => {
    const { status, stdout, stderr } = run(importOnce, JSON.stringify({ engine }))
    expect([stderr, status]).toEqual(['', 0])
    expect(steps(stdout)).toEqual(told(engine, 'main'))
  })

  it('is harmless twice, and in two copies', () => {
    const copy = `${new URL('../../dist/src/adapters/register.js', import.meta.url)}?copy`
    const { status, stdout } = run([...importOnce, '--import', 'cancelpoint/register', '--import', copy])
    expect(status).toBe(0)
    expect(steps(stdout)).toEqual(told('nonblocking', 'main'))
  })

  it('leaves all to Node where the addon cannot load, with one warning', () => {
    const script = "import net from 'node:net'; net.connect(1, '127.0.0.1').on('error', (e) => console.log(e.code))"
    const { status, stdout, stderr } = run(['--no-addons', ...importOnce], undefined, [
      '--input-type=module',
      '-e',
      script,
    ])
    expect([status, stdout]).toEqual([0, 'ECONNREFUSED\n'])
    expect(stderr.match(/CancelpointWarning: cancelpoint\/register leaves all connects to Node\.js/g)).toHaveLength(1)
  })

  it.each([
    ['{', /CANCELPOINT_REGISTER is '\{': expected JSON such as \{"engine":"blocking"\}/],
    ['{"engin":"blocking"}', /CANCELPOINT_REGISTER: options has 'engin': did you mean engine\?/],
    ['5', /CANCELPOINT_REGISTER: options is 5: expected an object/],
  ])('refuses %s', (options, message) => {
    const { status, stderr } = run(importOnce, options)
    expect(status).toBe(1)
    expect(stderr).toMatch(message)
  })
})

/** Node's own and ours, asked alike. */
const both: [string, typeof net.connect][] = [
  ['Node', net.connect],
  ['cancelpoint', createConnection as never],
]

describe('beside Node’s own connects', () => {
  const targets = useStations()

  const finds = (...addresses: string[]): net.LookupFunction =>
    ((_host: string, options: { all?: boolean }, done: (...told: unknown[]) => void) => {
      const all = addresses.map((address) => ({ address, family: 4 }))
      setImmediate(() => done(null, options.all ? all : addresses[0], 4))
    }) as never

  it.each(both)('%s: a name whose first address is dead, and whose living one needs 400 ms', async (whose, connect) => {
    const sockets = new Sockets()
    const [dead, late, last] = [1, 2, 3].map((n) => `127.0.8.${whose === 'Node' ? n : n + 3}`) as [
      string,
      string,
      string,
    ]
    const fd = sockets.listener('inet', { backlog: 0, address: inet(0, late) })
    const { port } = inetName(fd)
    for (const address of [dead, last]) sockets.listener('inet', { backlog: 0, address: inet(port, address) })
    for (const address of [dead, late, last]) await posix.connect(sockets.open('inet'), inet(port, address))
    // With a longer queue it answers the kernel's next SYN.
    const opens = setTimeout(() => binding.listen(fd, 16), 400)
    const socket = connect({
      ...{ host: 'name.test', port, lookup: finds(dead, late, last) },
      autoSelectFamilyAttemptTimeout: 250,
    })
    const end = await new Promise((resolve) => {
      socket.once('connect', () => resolve(`connected to ${socket.remoteAddress}`))
      socket.once('error', resolve)
      socket.on('connectionAttemptTimeout', (address) => address === late && resolve(`gave up on ${address}`))
    })
    clearTimeout(opens)
    socket.destroy()
    sockets.close()
    expect(end).toBe(whose === 'Node' ? `gave up on ${late}` : `connected to ${late}`)
  })

  it('cancelpoint: 500 requests that were aborted leave no listener', async () => {
    const controller = new AbortController()
    const agent = new Agent({ signal: controller.signal })
    const requests = Array.from({ length: 500 }, () =>
      http
        .get({ host: '127.0.0.1', port: portOf(targets.hang), agent, signal: controller.signal })
        .on('error', () => {}),
    )
    await once(requests[499]!, 'socket')
    const closed = Promise.all(requests.map((request) => new Promise((done) => request.once('close', done))))
    for (const request of requests) request.destroy()
    await closed
    await expect.poll(() => listenersOn(controller.signal)).toBe(0)
  })

  it('cancelpoint: an error tells every attempt', async () => {
    const port = portOf(targets.refuse)
    const socket = createConnection({ host: 'name.test', port, lookup: finds('127.0.0.1', '127.0.0.2') })
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      attempts: [{ endpoint: `127.0.0.1:${port}` }, { endpoint: `127.0.0.2:${port}` }],
    })
  })
})
