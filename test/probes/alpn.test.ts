/** The protocols that a probe asks for by ALPN have to be agreed, and names that cannot be are told before. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { resultOf, targetOf } from '../support/peer.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const { key, cert } = selfSigned()
const trusted = { ca: cert }

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept)
})
afterAll(() => manager.close())

async function serverOf(options: tls.TlsOptions): Promise<string> {
  const server = tls.createServer({ key, cert, ...options }, (socket) => void socket.on('error', () => {}).resume())
  server.on('tlsClientError', () => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('ALPN', () => {
  const none = { status: 'down', code: 'ERR_ALPN', errnoClass: 'protocol', phase: 'tls' }
  const names = (...ALPNProtocols: string[]) => ({ ...trusted, ALPNProtocols })

  it('is asked for by none: any server is up', async () => {
    expect(await resultOf(manager, await serverOf({}), { tls: trusted })).toMatchObject({ status: 'up' })
    expect(await resultOf(manager, await serverOf({}), { tls: names() })).toMatchObject({ status: 'up' })
    const target = await serverOf({ ALPNProtocols: ['h2'] })
    expect(await resultOf(manager, target, { tls: trusted })).toMatchObject({ status: 'up' })
  })

  it('has to be agreed where it is asked for', async () => {
    const h2 = await serverOf({ ALPNProtocols: ['h2', 'http/1.1'] })
    for (const tlsOptions of [names('h2'), names('imap', 'h2'), { ...trusted, ALPNProtocols: Buffer.from('\x02h2') }])
      expect(await resultOf(manager, h2, { tls: tlsOptions })).toMatchObject({ status: 'up' })
    // Nothing in common: the server itself breaks the handshake off.
    expect(await resultOf(manager, h2, { tls: names('imap') })).toMatchObject({ status: 'down', phase: 'tls' })
    const unknowing = await serverOf({})
    const result = await resultOf(manager, unknowing, { tls: names('h2', 'x\u001b[2J') })
    expect(result).toMatchObject({ ...none, certificate: { subject: 'CN=localhost' } })
    expect(result.reason).toBe('The other side agreed to none of the protocols that ALPN asks for: h2, x\\u001b[2J.')
  })

  it('goes for a step of starttls too', async () => {
    const context = tls.createSecureContext({ key, cert })
    const target = await targetOf((socket) => {
      new tls.TLSSocket(socket, { isServer: true, secureContext: context }).on('error', () => {})
    })
    const result = await resultOf(manager, target, { steps: [{ starttls: names('h2') }] })
    expect(result).toMatchObject({ ...none, step: 0 })
  })

  // biome-ignore format: a table reads by rows
  it.each<[unknown, RegExp]>([
    [[''], /ALPNProtocols has a name that is empty/],
    [['h2', 'x'.repeat(256)], /ALPNProtocols has a name of 256 bytes: expected at most 255/],
    [['é'.repeat(128)], /has a name of 256 bytes/],
    [[3], /ALPNProtocols has 3: expected names such as 'h2'/],
    ['h2', /ALPNProtocols is 'h2': expected an array/],
    [Array.from({ length: 300 }, () => 'x'.repeat(255)), /has 76800 bytes in all: expected at most 65535/],
    [Buffer.from('\x03h2'), /ends within a name/],
    [Buffer.from([0]), /has a name that is empty/],
  ])('%o is told before anything is done', async (ALPNProtocols, message) => {
    const tlsOptions = { ALPNProtocols } as tls.ConnectionOptions
    await expect(resultOf(manager, '127.0.0.1:1', { tls: tlsOptions })).rejects.toThrow(message)
    await expect(resultOf(manager, '127.0.0.1:1', { steps: [{ starttls: tlsOptions }] })).rejects.toThrow(message)
    await expect(manager.connect('127.0.0.1:1', { tls: tlsOptions })).rejects.toThrow(message)
    const result = await resultOf(manager, { target: '127.0.0.1:1', tls: tlsOptions })
    expect(result).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET', attempts: 0 })
  })
})
