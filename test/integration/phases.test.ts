/** Where a check or a call ended: its phase, its timings, and what the error of its deadline says. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { type CheckOptions, type CheckResult, ConnectError, type ConnectionManager, type Target } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  const names: (string | false | null)[] = []
  const server = tls.createServer({ ...selfSigned() })
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
  const ports = { tls: 0, silent: 0 }

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
    server.on('tlsClientError', () => {})
    server.on('secureConnection', (socket) => {
      names.push(socket.servername ?? null)
      socket.on('error', () => {}).resume()
    })
    for (const [name, each] of [['tls', server] as const, ['silent', silent] as const]) {
      await once(each.listen(0, '127.0.0.1'), 'listening')
      ports[name] = (each.address() as AddressInfo).port
    }
  })
  afterAll(async () => {
    await manager.close()
    server.close()
    silent.close()
  })

  const lookup = async () => ['127.0.0.1']

  async function only(target: Target, options: CheckOptions): Promise<CheckResult> {
    for await (const result of manager.check([target], options)) return result
    throw new Error('no result')
  }

  it.each<[string, () => Target, CheckOptions, Partial<CheckResult>]>([
    [
      'a name without an address',
      () => 'none.test:80',
      { lookup: async () => [] },
      { phase: 'name', code: 'ENOTFOUND' },
    ],
    ['a refusal', () => targets.refuse, {}, { phase: 'connect', code: 'ECONNREFUSED', errnoClass: 'refused' }],
    [
      'a certificate that is not trusted',
      () => `127.0.0.1:${ports.tls}`,
      { tls: true },
      { phase: 'tls', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', errnoClass: 'protocol' },
    ],
    [
      'a handshake that hangs',
      () => `name.test:${ports.silent}`,
      { tls: true, lookup, timeoutMs: 200 },
      {
        phase: 'tls',
        code: 'ETIMEDOUT',
        errnoClass: 'timed-out',
        reason: 'The TLS handshake did not end within 200 ms.',
      },
    ],
  ])('%s is down in its phase', async (_, target, options, expected) => {
    const before = held()
    const result = await only(target(), options)
    expect(result).toMatchObject({ status: 'down', ...expected })
    // A handshake that failed took its time too.
    if (expected.phase === 'tls') expect(result.tlsMs).toBeGreaterThan(0)
    else expect(result).not.toHaveProperty('tlsMs')
    await expect.poll(held).toEqual(before)
  })

  it('a target that is up has its timings, and no phase', async () => {
    const result = await only(`name.test:${ports.tls}`, { tls: { rejectUnauthorized: false }, lookup })
    expect(result).toMatchObject({ status: 'up', address: '127.0.0.1', attempts: 1 })
    for (const name of ['nameMs', 'connectMs', 'tlsMs'] as const) expect(result[name]).toBeGreaterThan(0)
    expect(result).not.toHaveProperty('phase')
  })

  it.each([
    ['svc.test.', {}],
    ['svc.test', { servername: 'svc.test.' }],
  ])('SNI carries no dot at the end: %s %j', async (host, more) => {
    names.length = 0
    await only(`${host}:${ports.tls}`, { tls: { rejectUnauthorized: false, ...more }, lookup })
    await expect.poll(() => names).toContain('svc.test')
    expect(names).not.toContain('svc.test.')
  })

  it('the error of a handshake that hangs tells TLS, and what to do; its attempt connected', async () => {
    const error = await manager
      .connect(`127.0.0.1:${ports.silent}`, { tls: true, timeoutMs: 200 })
      .catch((error) => error)
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'tls', timedOutBy: 'deadline', errnoClass: 'timed-out' })
    expect(error.message).toBe(
      `tls ETIMEDOUT 127.0.0.1:${ports.silent}: the TLS handshake did not end within 200 ms; check that the port speaks TLS, and that the service keeps up`,
    )
    expect(error.attempts).toMatchObject([{ endpoint: `127.0.0.1:${ports.silent}` }])
    expect(error.attempts[0]).not.toHaveProperty('code')
  })

  it('an attempt that the deadline of its call ended has timed out', async () => {
    const options = { lookup, timeoutMs: 200, attemptTimeoutMs: 5_000, retry: false } as const
    const error = await manager.connect(`hung.test:${portOf(targets.hang)}`, options).catch((error) => error)
    expect(error.message).toMatch(/not connected within 200 ms; check that the host is up/)
    expect(error.attempts).toMatchObject([{ code: 'ETIMEDOUT', errnoClass: 'timed-out' }])
  })

  it('targets of a check are counted while they are in flight, plain ones and names alike', async () => {
    const list = [...Array(20).fill(targets.hang), ...Array(5).fill(`hung.test:${portOf(targets.hang)}`)]
    const results = manager.check(list, { lookup, attemptTimeoutMs: 400 })
    const first = results.next()
    await expect.poll(() => manager.stats().inFlight).toBe(25)
    await first
    for await (const { status } of results) expect(status).toBe('down')
    expect(manager.stats().inFlight).toBe(0)
  })
})
