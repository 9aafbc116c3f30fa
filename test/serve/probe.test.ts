/** /probe: answers as blackbox_exporter does, and only about what is allowed. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, BlockList } from 'node:net'
import tls from 'node:tls'
import { ConnectionManager, ledger } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AllowList } from '#internal/core/allow-list'
import * as limits from '#internal/core/limits'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { dial, get, serving, steadyHeld } from './serving.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept, { engine: 'nonblocking' })
})
afterAll(() => manager.close())

const loopback = new AllowList(['127.0.0.0/8', '::1'])
const probing = (probeAllow = loopback) => serving(manager, [], { probeAllow })
const scrapeTimeout = (seconds: string) => ({ headers: { 'x-prometheus-scrape-timeout-seconds': seconds } })
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

it('is off until it is allowed', async () => {
  const at = await serving(manager, [])
  const { status, body } = await get(at, `/probe?target=${stations.accept}`)
  expect([status, body]).toEqual([404, expect.stringContaining('--probe-allow')])
})

it('tells what came of it, up or not', async () => {
  const at = await probing()
  const before = await steadyHeld()
  const up = await get(at, `/probe?target=${stations.accept}`)
  expect([up.status, up.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(up.body.split('\n')).toEqual(expect.arrayContaining(['probe_success 1', 'probe_ip_protocol 4']))
  const down = await get(at, `/probe?target=${stations.refuse}`)
  expect([down.status, down.body]).toEqual([200, expect.stringContaining('\nprobe_success 0\n')])
  expect(down.body).toContain('code="ECONNREFUSED"')
  const hanging = await get(at, `/probe?target=${stations.hang}`, scrapeTimeout('0.6'))
  expect([hanging.status, hanging.body]).toEqual([200, expect.stringContaining('code="ETIMEDOUT"')])
  expect((await get(at, `/probe?target=localhost:${portOf(stations.accept)}`)).body).toContain(
    'probe_dns_lookup_time_seconds',
  )
  await expect.poll(held).toEqual(before)
})

it('speaks to what it probes', async () => {
  const at = await probing()
  const server = tls.createServer(selfSigned(), (socket) => socket.on('error', () => {}).resume())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const secured = await get(at, `/probe?target=127.0.0.1:${port}&probe=tls`)
  expect(secured.body).toContain('probe_success 0')
  expect(secured.body).toMatch(/^probe_ssl_earliest_cert_expiry \d{10}/m)
  expect(secured.body).toContain('subject="CN=localhost"')
  const web = http.createServer((_, response) => response.end('x'))
  await once(web.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(web.address() as AddressInfo).port}`
  expect((await get(at, `/probe?target=${target}&probe=http`)).body).toContain('probe_failed_due_to_regex 0')
  expect((await get(at, `/probe?target=${target}&probe=https`)).body).toContain('phase="tls"')
  server.close()
  web.close()
})

it.skipIf(!hasPromtool)('promtool finds nothing to say of it (Debian package prometheus)', async () => {
  const at = await probing()
  for (const target of [stations.accept, stations.refuse]) {
    const { body } = await get(at, `/probe?target=${target}`)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
    expect([status, stdout, stderr]).toEqual([0, '', ''])
  }
})

it.each([
  '',
  '?target=',
  '?target=nonsense',
  '?target=127.0.0.1:0',
  '?target=127.0.0.1:1&target=127.0.0.1:2',
  '?target=127.0.0.1:1&probe=x',
  '?target=127.0.0.1:1&x=y',
])('/probe%s is a bad request', async (query) => {
  expect((await get(await probing(), `/probe${query}`)).status).toBe(400)
})

it('a scraper’s patience that is no number is a bad request', async () => {
  expect((await get(await probing(), `/probe?target=${stations.accept}`, scrapeTimeout('x'))).status).toBe(400)
})

describe('what is not allowed', () => {
  /** A list of one network in which nothing of these is. */
  const elsewhere = new AllowList(['192.0.2.0/24'])
  const port = () => portOf(stations.accept)

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    'localhost',
  ])('%s is refused, and no connection made', async (host) => {
    const at = await probing(elsewhere)
    const { status, body } = await get(at, `/probe?target=${encodeURIComponent(`${host}:${port()}`)}`)
    expect([status, body]).toEqual([403, expect.stringContaining('--probe-allow')])
  })

  it.each(['[::ffff:10.0.0.1]', '[64:ff9b::a00:1]', '[2002:a00:1::]', '0.0.0.0', '[::]'])(
    '%s is refused although loopback is allowed',
    async (host) => {
      const { status } = await get(await probing(), `/probe?target=${encodeURIComponent(`${host}:${port()}`)}`)
      expect(status).toBe(403)
    },
  )

  it('an address that leads to another is refused unless both are allowed', async () => {
    const at = await probing(new AllowList(['::/0']))
    const target = encodeURIComponent(`[64:ff9b::7f00:1]:${port()}`)
    expect((await get(at, `/probe?target=${target}`)).status).toBe(403)
  })

  it('paths of this machine are refused, whatever is allowed', async () => {
    const at = await probing(new AllowList(['0.0.0.0/0', '::/0']))
    for (const target of ['unix:/run/x', 'unix:@x', 'unix:@\0'])
      expect((await get(at, `/probe?target=${encodeURIComponent(target)}`)).status, target).toBe(403)
  })

  it('is also what the manager’s own block list bars', async () => {
    const blockList = new BlockList()
    blockList.addSubnet('127.0.0.0', 8)
    await using barring = new ConnectionManager({ blockList })
    await using at = await serving(barring, [], { probeAllow: loopback })
    expect((await get(at, `/probe?target=${stations.accept}`)).status).toBe(403)
  })

  it('a name whose addresses change between looks does not get through', async () => {
    let asked = 0
    await using rebinding = new ConnectionManager({ lookup: async () => [asked++ === 0 ? '127.0.0.1' : '192.0.2.1'] })
    await using at = await serving(rebinding, [], { probeAllow: loopback })
    expect((await get(at, `/probe?target=a.test:${port()}`)).body).toContain('probe_success 1')
    expect((await get(at, `/probe?target=a.test:${port()}`)).status).toBe(403)
  })
})

it('HEAD probes nothing', async () => {
  const accepted = net.createServer()
  let count = 0
  accepted.on('connection', (socket) => {
    count += 1
    socket.on('error', () => {}).destroy()
  })
  await once(accepted.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(accepted.address() as AddressInfo).port}`
  const at = await probing()
  expect(await get(at, `/probe?target=${target}`, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  expect(count).toBe(0)
  await get(at, `/probe?target=${target}`)
  await expect.poll(() => count).toBe(1)
  accepted.close()
})

it('few are under way at once, and those whose asker has gone are ended', async () => {
  const at = await probing()
  const before = await steadyHeld()
  const sockets = []
  for (let i = 0; i < limits.serve.probesAtMost; i += 1) {
    const socket = await dial(at)
    socket.write(`GET /probe?target=${stations.hang} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    sockets.push(socket)
    await expect.poll(() => ledger().attempts, { interval: 5 }).toBe(i + 1)
    // So many in one moment would be more than are started a second.
    await new Promise((resolve) => setTimeout(resolve, 2_000 / limits.serve.probesPerSecond))
  }
  const refused = await get(at, `/probe?target=${stations.accept}`)
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
  for (const socket of sockets) socket.destroy()
  await expect.poll(held).toEqual(before)
  expect((await get(at, `/probe?target=${stations.accept}`)).body).toContain('probe_success 1')
})

it('not more are started than a few in one moment', async () => {
  const at = await probing()
  const target = `/probe?target=${stations.refuse}`
  const statuses: number[] = []
  for (let round = 0; round < 20 && !statuses.includes(503); round += 1) {
    const answers = await Promise.all(Array.from({ length: limits.serve.probesAtMost }, () => get(at, target)))
    statuses.push(...answers.map(({ status }) => status))
  }
  expect(new Set(statuses)).toEqual(new Set([200, 503]))
})

it('close cancels them, and nothing is left', async () => {
  await (await probing())[Symbol.asyncDispose]()
  const before = await steadyHeld()
  const at = await probing()
  const asked = get(at, `/probe?target=${stations.hang}`)
  asked.catch(() => {})
  await expect.poll(() => ledger().attempts).toBe(1)
  await at[Symbol.asyncDispose]()
  expect(ledger().attempts).toBe(0)
  await expect(asked).rejects.toThrow()
  await expect.poll(held).toEqual(before)
})
