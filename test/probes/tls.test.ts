/** Handshakes that a server may refuse late, and what has to be agreed in them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { CheckResult, ConnectionManager, ProbeStep } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { resultOf, targetOf } from '../support/peer.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const { key, cert } = selfSigned()
const stranger = selfSigned()
const trusted = { ca: cert }

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept)
})
afterAll(() => manager.close())

async function serverOf(options: tls.TlsOptions, say = ''): Promise<string> {
  const server = tls.createServer({ key, cert, ...options }, (socket) => {
    socket.on('error', () => {}).resume()
    if (say) socket.write(say)
  })
  server.on('tlsClientError', () => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function timed(result: Promise<CheckResult>): Promise<CheckResult & { tookMs: number }> {
  const startedAt = performance.now()
  return { ...(await result), tookMs: performance.now() - startedAt }
}

const required = { requestCert: true, rejectUnauthorized: true, ca: cert } as const
const optional = { requestCert: true, rejectUnauthorized: false } as const
const own = { ...trusted, key, cert }

describe('a server that asks for a certificate of the client', () => {
  const refused = {
    status: 'down',
    code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    errnoClass: 'protocol',
    phase: 'tls',
  }

  it('is down without one, and says why', async () => {
    const target = await serverOf(required)
    const result = await resultOf(manager, target, { tls: trusted })
    expect(result).toMatchObject({ ...refused, certificate: { subject: 'CN=localhost' }, tlsMs: expect.any(Number) })
    expect(result.reason).toBe('The other side wants a certificate of this client’s, and was given none.')
    expect(result).not.toHaveProperty('step')
  })

  it('is down with steps too, and after STARTTLS', async () => {
    const target = await serverOf(required)
    const expecting: ProbeStep[] = [{ send: 'x' }, { expect: 'y' }]
    expect(await resultOf(manager, target, { tls: trusted, steps: expecting })).toMatchObject(refused)
    const server = tls.createSecureContext({ key, cert, ca: cert })
    const upgrading = await targetOf((socket) => {
      socket.once('data', () => {
        socket.write('220 go\r\n')
        new tls.TLSSocket(socket, { isServer: true, secureContext: server, ...required }).on('error', () => {})
      })
    })
    const steps: ProbeStep[] = [{ send: 'S\r\n' }, { expect: '220 go\r\n' }, { starttls: trusted }]
    expect(await resultOf(manager, upgrading, { steps })).toMatchObject({ ...refused, step: 2 })
  })

  it('is up with one, and where it will do without', async () => {
    expect(await resultOf(manager, await serverOf(required), { tls: own })).toMatchObject({ status: 'up' })
    expect(await resultOf(manager, await serverOf(optional), { tls: trusted })).toMatchObject({ status: 'up' })
  })

  it('is down in TLS 1.2 as well', async () => {
    const target = await serverOf({ ...required, maxVersion: 'TLSv1.2' })
    const result = await resultOf(manager, target, { tls: trusted })
    expect(result).toMatchObject({ status: 'down', errnoClass: 'protocol', phase: 'tls', tlsMs: expect.any(Number) })
  })

  it('is not waited for longer than its first word takes: a ticket, or data', async () => {
    const target = await serverOf(optional)
    for (let i = 0; i < 3; i++)
      expect((await timed(resultOf(manager, target, { tls: trusted }))).tookMs).toBeLessThan(500)
  })

  it('a server that asks for none is not waited for at all', async () => {
    const target = await serverOf({})
    expect((await timed(resultOf(manager, target, { tls: trusted, timeoutMs: 60_000 }))).tookMs).toBeLessThan(500)
  })

  it('a check that is aborted meanwhile lets go of it', async () => {
    const target = await openssl('-verify', '1', '-num_tickets', '0')
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 200)
    const { signal } = controller
    await expect(resultOf(manager, target, { tls: trusted, signal })).rejects.toMatchObject({ name: 'AbortError' })
  })
})

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-tls-'))
const paths = { key: join(directory, 'key.pem'), cert: join(directory, 'cert.pem') }
writeFileSync(paths.key, key)
writeFileSync(paths.cert, cert)
afterAll(() => rmSync(directory, { recursive: true }))

/** OpenSSL's own server. */
async function openssl(...options: string[]): Promise<string> {
  const probe = net.createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const files = ['-key', paths.key, '-cert', paths.cert, '-CAfile', paths.cert]
  const child: ChildProcess = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, ...files, ...options], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill())
  for await (const text of child.stdout!.iterator({ destroyOnReturn: false }))
    if (String(text).includes('ACCEPT')) break
  child.stdout!.resume()
  return `127.0.0.1:${port}`
}

describe('a server that gives no tickets', () => {
  it.each<[string, string[], tls.ConnectionOptions, object]>([
    ['is down where it demands a certificate', ['-Verify', '1'], trusted, { status: 'down', phase: 'tls' }],
    ['is up where it asks for one', ['-verify', '1'], trusted, { status: 'up' }],
    ['is up where it is given one', ['-Verify', '1', '-verify_return_error'], own, { status: 'up' }],
    [
      'is down where it does not take the one it is given',
      ['-Verify', '1', '-verify_return_error'],
      { ...trusted, key: stranger.key, cert: stranger.cert },
      { status: 'down', phase: 'tls', reason: expect.stringMatching(/does not take this client’s certificate/) },
    ],
  ])('%s', async (_, options, tlsOptions, expected) => {
    const target = await openssl('-num_tickets', '0', ...options)
    const result = await timed(resultOf(manager, target, { tls: tlsOptions }))
    expect(result).toMatchObject(expected)
    expect(result.tookMs).toBeLessThan(1_500)
  })

  it('fails no target whose time is short', async () => {
    const target = await openssl('-num_tickets', '0', '-verify', '1')
    const result = await resultOf(manager, target, { tls: trusted, timeoutMs: 600 })
    expect(result).toMatchObject({ status: 'up' })
  })
})
