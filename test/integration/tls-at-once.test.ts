/** TLS on top of a socket that is still connecting, by Node's tls.connect: the same over net.connect's socket and createConnection's. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import type { ConnectionManager } from 'cancelpoint'
import { createConnection } from 'cancelpoint/net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()
const names: (string | false | null)[] = []
const server = tls.createServer(
  {
    ...certificate,
    ALPNProtocols: ['b', 'a'],
    SNICallback: (name, done) => {
      names.push(name)
      done(null)
    },
  },
  (peer) => peer.on('error', () => {}).end('secure'),
)
server.on('tlsClientError', () => {})
/** Takes connections, and says nothing. */
const mute = net.createServer((peer) => peer.on('error', () => {}).resume())
const noTls = net.createServer((peer) =>
  peer
    .on('error', () => {})
    .resume()
    .end('this is no TLS at all'),
)
const servers = [server, mute, noTls]
const port = (of: net.Server) => (of.address() as AddressInfo).port

let idle: ReturnType<typeof held>
const managers: ConnectionManager[] = []

beforeAll(async () => {
  for (const each of servers) {
    each.listen(0, '127.0.0.1')
    await once(each, 'listening')
  }
  for (const engine of engines) managers.push(await warmManager(targets.accept, { engine }))
  idle = held()
})
afterEach(async () => {
  names.length = 0
  await expect.poll(held).toEqual(idle)
})
afterAll(async () => {
  for (const each of servers) each.close()
  for (const manager of managers) await manager.close()
})

type Connect = (options: net.TcpNetConnectOpts) => net.Socket
const sources: [string, Connect][] = [
  ['net.connect', net.connect],
  ...engines.map((engine, index): [string, Connect] => [
    `createConnection, by the ${engine} engine`,
    (options) => createConnection({ ...options, manager: managers[index] }),
  ]),
]

const lookup = ((_name: string, options: { all?: boolean }, done: (...told: unknown[]) => void) =>
  setImmediate(done, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)) as net.LookupFunction

const events = ['lookup', 'connect', 'ready', 'secureConnect', 'error', 'close']

/** What a socket says until it is closed. */
async function toldBy(socket: net.Socket): Promise<string[]> {
  const seen: string[] = []
  for (const name of events)
    socket.on(name, (given: unknown) =>
      seen.push(given instanceof Error ? `${name} ${(given as NodeJS.ErrnoException).code}` : name),
    )
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  return seen
}

describe.each(sources)('%s', (_, connect) => {
  const over = (socket: net.Socket, options: tls.ConnectionOptions = {}) =>
    tls.connect({ socket, ca: certificate.cert, servername: 'localhost', ...options })
  const open = (at = port(server), host = '127.0.0.1') => connect({ host, port: at, lookup })

  it('connects, and is authorized', async () => {
    const secured = over(open())
    expect(secured.connecting).toBe(true)
    const told = toldBy(secured)
    await once(secured, 'secureConnect')
    expect([secured.authorized, secured.remotePort, secured.connecting]).toEqual([true, port(server), false])
    expect(await told).toEqual(['connect', 'secureConnect', 'close'])
  })

  it.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', undefined],
  ])('names the server as asked: %s', async (host, expected) => {
    const secured = over(open(port(server), host), expected ? { servername: expected } : { servername: '' })
    await toldBy(secured)
    expect(names).toEqual(expected ? [expected] : [])
  })

  it('checks a certificate by the name that it connected to, and sends no name with a final dot', async () => {
    const secured = over(open(port(server), 'localhost.'), { servername: undefined as never })
    await once(secured, 'secureConnect')
    expect([secured.authorized, names.filter((name) => String(name).endsWith('.'))]).toEqual([true, []])
    await toldBy(secured)
  })

  it('agrees on a protocol by ALPN', async () => {
    const secured = over(open(), { ALPNProtocols: ['a', 'b'] })
    await once(secured, 'secureConnect')
    expect(secured.alpnProtocol).toBe('b')
    await toldBy(secured)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('reuses a session: %s', async (version) => {
    const limits = { minVersion: version, maxVersion: version }
    const first = over(open(), limits)
    const [session] = await once(first, 'session')
    await toldBy(first)
    const again = over(open(), { ...limits, session })
    await once(again, 'secureConnect')
    expect(again.isSessionReused()).toBe(true)
    await toldBy(again)
  })

  it('says once that its connect was refused', async () => {
    const socket = open(portOf(targets.refuse))
    const below = toldBy(socket)
    expect(await toldBy(over(socket))).toEqual(['error ECONNREFUSED', 'close'])
    expect((await below).filter((told) => told.startsWith('error')).length).toBeLessThanOrEqual(1)
  })

  it.each<[string, () => net.Socket, tls.ConnectionOptions, RegExp]>([
    ['nobody vouches for', () => open(), { ca: undefined as never }, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
    ['of another name', () => open(), { servername: 'other.test' }, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
    ['where there is no TLS', () => open(port(noTls)), {}, /^(EPROTO|ERR_SSL_\w+)$/],
  ])('says once that its handshake failed: a certificate %s', async (_which, make, options, code) => {
    const socket = make()
    const below = toldBy(socket)
    const told = await toldBy(over(socket, options))
    expect(told.filter((each) => each !== 'connect')).toEqual([expect.stringMatching(/^error /), 'close'])
    expect(told.find((each) => each.startsWith('error'))!.slice(6)).toMatch(code)
    expect((await below).at(-1)).toBe('close')
  })

  it.each<[string, () => net.Socket]>([
    ['connects', () => open(portOf(targets.hang))],
    ['shakes hands', () => open(port(mute))],
  ])('releases all when it is destroyed while it %s', async (which, make) => {
    const socket = make()
    const below = toldBy(socket)
    const secured = over(socket)
    const told = toldBy(secured)
    await once(socket, which === 'connects' ? 'connectionAttempt' : 'connect')
    await new Promise((resolve) => setTimeout(resolve, 20))
    secured.destroy()
    expect((await told).at(-1)).toBe('close')
    expect((await below).at(-1)).toBe('close')
  })

  it.each<[string, () => net.Socket]>([
    ['connects', () => open(portOf(targets.hang))],
    ['shakes hands', () => open(port(mute))],
  ])('releases all when the socket below is destroyed while it %s', async (which, make) => {
    const socket = make()
    const secured = over(socket)
    const told = toldBy(secured)
    await once(socket, which === 'connects' ? 'connectionAttempt' : 'connect')
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.destroy()
    expect((await told).at(-1)).toBe('close')
  })

  it.each<[string, () => net.Socket]>([
    ['connects', () => open(portOf(targets.hang))],
    ['shakes hands', () => open(port(mute))],
  ])('ends by the signal of the socket below while it %s', async (which, _make) => {
    const controller = new AbortController()
    const at = which === 'connects' ? portOf(targets.hang) : port(mute)
    const socket = connect({ host: '127.0.0.1', port: at, signal: controller.signal } as never)
    const below = toldBy(socket)
    const told = toldBy(over(socket))
    await once(socket, which === 'connects' ? 'connectionAttempt' : 'connect')
    controller.abort()
    expect((await told).at(-1)).toBe('close')
    expect((await below).slice(-2)).toEqual(['error ABORT_ERR', 'close'])
  })
})
