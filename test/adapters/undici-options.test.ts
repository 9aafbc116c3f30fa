/** undici's own options for `connect`, each as the connector has it. */
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { type ConnectorOptions, connector } from 'cancelpoint/undici'
import { Agent, buildConnector, Client } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held, listenersOn } from '../support/counts.js'
import { inet, Sockets } from '../support/sockets.mjs'
import { portOf, useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()
const plain = http.createServer((_, response) => response.end('plain'))
const secure = https.createServer(certificate)
const second = http2.createSecureServer({ ...certificate, allowHTTP1: true })
const mute = net.createServer((peer) => peer.on('error', () => {}).resume())
const servers = [plain, secure, second, mute]
const port = (server: net.Server) => String((server.address() as AddressInfo).port)

type Connect = (options: object, done: (error: Error | null, socket: net.Socket | null) => void) => void
const connectors: [string, (options: ConnectorOptions) => Connect][] = [
  ['undici’s connector', (options) => buildConnector(options as never) as unknown as Connect],
  ['cancelpoint’s', (options) => connector({ manager, ...options }) as unknown as Connect],
]

let manager: Awaited<ReturnType<typeof warmManager>>
let idle: ReturnType<typeof held>

beforeAll(async () => {
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  manager = await warmManager(targets.accept)
  idle = held()
})
afterEach(async () => {
  await expect.poll(held).toEqual(idle)
})
afterAll(async () => {
  for (const server of servers) server.close()
  await manager.close()
})

const lookup = ((_name: string, options: { all?: boolean; family?: number }, done: (...told: unknown[]) => void) => {
  const all = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ].filter(({ family }) => !options.family || options.family === family)
  setImmediate(() => (options.all ? done(null, all) : done(null, all[0]!.address, all[0]!.family)))
}) as unknown as net.LookupFunction

describe.each(connectors)('%s', (whose, connectorOf) => {
  const isOurs = whose === 'cancelpoint’s'
  /** What it gives for an origin; the caller ends the socket. */
  function connect(made: Connect, origin: object): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      made(origin, (error, socket) => (error ? reject(error) : resolve(socket!)))
    })
  }
  const to = (server: net.Server, protocol = 'http:') => ({
    hostname: 'localhost',
    host: 'localhost',
    protocol,
    port: port(server),
    servername: '',
  })
  const end = (socket: net.Socket) => {
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    return closed
  }

  it.each<[string, () => object]>([
    ['a connect', () => ({ ...to(plain), hostname: '127.0.0.1', port: String(portOf(targets.hang)) })],
    ['a handshake', () => to(mute, 'https:')],
  ])('bounds %s by its timeout', async (_what, origin) => {
    const made = connectorOf({ timeout: 60, family: 4 })
    await expect(connect(made, origin())).rejects.toMatchObject({ code: expect.stringMatching(/TIMEDOUT|TIMEOUT/) })
  })

  it('connects to the family asked for', async () => {
    const socket = await connect(connectorOf({ family: 4, lookup } as never), { ...to(plain), hostname: 'name.test' })
    expect(socket.remoteAddress).toBe('127.0.0.1')
    await end(socket)
    const other = connect(connectorOf({ family: 6, lookup } as never), { ...to(plain), hostname: 'name.test' })
    await expect(other).rejects.toMatchObject({ code: 'ECONNREFUSED', address: '::1' })
  })

  it('connects from the localAddress of a request, or else from its own', async () => {
    const made = connectorOf({ localAddress: '127.0.0.7', family: 4 })
    const given = await connect(made, { ...to(plain), localAddress: '127.0.0.8' })
    const own = await connect(made, to(plain))
    const from = [given, own].map(({ localAddress }) => localAddress)
    await Promise.all([end(own), end(given)])
    // undici's type has the option, and undici forgets it.
    expect(from).toEqual(['127.0.0.8', isOurs ? '127.0.0.7' : '127.0.0.1'])
  })

  it('tries one address without autoSelectFamily, and all of them with it', async () => {
    const origin = { ...to(plain), hostname: 'name.test' }
    const one = connect(connectorOf({ autoSelectFamily: false, lookup } as never), origin)
    await expect(one).rejects.toMatchObject({ code: 'ECONNREFUSED', address: '::1' })
    const all = connectorOf({ autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 50, lookup } as never)
    const socket = await connect(all, origin)
    expect(socket.autoSelectFamilyAttemptedAddresses).toEqual([`::1:${port(plain)}`, `127.0.0.1:${port(plain)}`])
    await end(socket)
  })

  it('goes on to the next address after autoSelectFamilyAttemptTimeout', async () => {
    const sockets = new Sockets()
    const [mutely, at] = [isOurs ? '127.0.8.12' : '127.0.8.11', Number(port(plain))]
    sockets.listener('inet', { backlog: 0, address: inet(at, mutely) })
    const filler = net.connect(at, mutely)
    await once(filler, 'connect')
    const both = [mutely, '127.0.0.1'].map((address) => ({ address, family: 4 }))
    const found = (_name: string, _options: object, done: (...told: unknown[]) => void) =>
      setImmediate(done, null, both)
    const options = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 30, lookup: found }
    const socket = await connect(connectorOf(options as never), { ...to(plain), hostname: 'name.test' })
    expect(socket.remoteAddress).toBe('127.0.0.1')
    await Promise.all([end(socket), end(filler)])
    sockets.close()
  })

  it('connects to its socketPath, plain and with TLS', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-undici-'))
    const [path, securePath] = [join(directory, 'plain'), join(directory, 'secure')]
    const local = [http.createServer().listen(path), https.createServer(certificate).listen(securePath)]
    await Promise.all(local.map((server) => once(server, 'listening')))
    const socket = await connect(connectorOf({ socketPath: path }), to(plain))
    const over = (await connect(
      connectorOf({ socketPath: securePath, ca: certificate.cert } as never),
      to(plain, 'https:'),
    )) as TLSSocket
    expect([socket.remoteAddress, over.authorized]).toEqual([undefined, true])
    await Promise.all([end(socket), end(over)])
    await Promise.all(local.map((server) => new Promise((resolve) => server.close(resolve))))
    rmSync(directory, { recursive: true })
  })

  it.each([
    [100, true],
    [0, false],
  ])('reuses a TLS session where maxCachedSessions is %s: %s', async (maxCachedSessions, reuses) => {
    const made = connectorOf({ maxCachedSessions, ca: certificate.cert, family: 4 } as never)
    const first = (await connect(made, to(secure, 'https:'))) as TLSSocket
    await once(first.resume(), 'session')
    const again = (await connect(made, to(secure, 'https:'))) as TLSSocket
    expect([first.isSessionReused(), again.isSessionReused()]).toEqual([false, reuses])
    await Promise.all([end(first), end(again)])
  })

  it.runIf(isOurs).each([
    ['its host', { hostname: 'localhost.' }],
    ['its servername', { servername: 'localhost.' }],
  ])('names the server without a final dot: %s', async (_which, origin) => {
    const named = once(secure, 'secureConnection')
    const socket = await connect(connectorOf({ ca: certificate.cert, family: 4 }), {
      ...to(secure, 'https:'),
      ...origin,
    })
    const [peer] = await named
    await end(socket)
    expect(peer.servername).toBe('localhost')
  })

  it.each([
    [true, 'h2'],
    [false, 'http/1.1'],
    [undefined, 'http/1.1'],
  ])('offers by ALPN, where allowH2 is %s: %s', async (allowH2, expected) => {
    const made = connectorOf({ allowH2, ca: certificate.cert, family: 4 } as never)
    const socket = (await connect(made, to(second, 'https:'))) as TLSSocket
    expect(socket.alpnProtocol).toBe(expected)
    await end(socket)
  })
})

describe('the interceptor', () => {
  const origin = () => `http://${targets.hang}`
  const both = () => {
    const connect = connector({ manager })
    return { agent: new Agent({ connect }), connect }
  }
  const get = { path: '/', method: 'GET' as const }

  it.each([null, 0, '', undefined, false])('rejects a request that was aborted with %j', async (reason) => {
    const { agent, connect } = both()
    const dispatcher = agent.compose(connect.cancelling())
    for (const when of ['before', 'while it connects']) {
      const controller = new AbortController()
      const { signal } = controller
      if (when === 'before') controller.abort(reason)
      const request = dispatcher.request({ origin: origin(), ...get, signal })
      setImmediate(() => controller.abort(reason))
      await expect(request).rejects.toMatchObject({ name: 'AbortError' })
      expect([when, listenersOn(signal)]).toEqual([when, 0])
    }
    await agent.destroy()
  })

  it('takes an EventEmitter as signal, as undici does', async () => {
    const { agent, connect } = both()
    for (const composed of [false, true]) {
      const signal = new EventEmitter()
      const dispatcher = agent.compose(connect.cancelling(composed ? { signal } : {}))
      const request = dispatcher.request({ origin: origin(), ...get, ...(!composed && { signal }) })
      setImmediate(() => signal.emit('abort'))
      await expect(request).rejects.toMatchObject({ name: 'AbortError' })
      expect(signal.listenerCount('abort')).toBe(0)
    }
    await agent.destroy()
  })

  it.each(['the request’s own', 'the one of cancelling()'])('counts both signals: %s', async (which) => {
    const connect = connector({ manager })
    const client = new Client(origin(), { connect })
    const [own, composed] = [new AbortController(), new AbortController()]
    const dispatcher = client.compose(connect.cancelling({ signal: composed.signal }))
    const request = dispatcher.request({ ...get, signal: own.signal })
    setImmediate(() => (which.startsWith('the request') ? own : composed).abort(new Error(which)))
    await expect(request).rejects.toMatchObject({ message: which })
    expect([listenersOn(own.signal), listenersOn(composed.signal)]).toEqual([0, 0])
    await client.destroy()
  })
})
