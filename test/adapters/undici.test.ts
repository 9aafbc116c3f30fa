import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { ConnectionManager } from 'cancelpoint'
import { connector } from 'cancelpoint/undici'
import { Agent, Client, type Dispatcher, fetch, Pool } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { sharedManager } from '#internal/default-manager'
import { atSettlement } from '../support/cancelled.js'
import { selfSigned } from '../support/certificate.js'
import { held, listenersOn } from '../support/counts.js'
import { blockedInConnect, callsMade, countCalls } from '../support/moments.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()

const plain = http.createServer((request, response) => response.end(`${request.method} ${request.url}`))
const secure = https.createServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, (request, response) => {
  const { alpnProtocol, servername } = request.socket as TLSSocket & { servername?: string }
  response.end(`${alpnProtocol} ${servername}`)
})
const second = http2.createSecureServer(certificate, (request, response) => response.end(`h${request.httpVersion}`))

beforeAll(async () => {
  for (const server of [plain, secure, second]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
})
afterAll(() => {
  for (const server of [plain, secure, second]) server.close()
})

const at = (server: net.Server, protocol = 'http', host = '127.0.0.1') =>
  `${protocol}://${host}:${(server.address() as AddressInfo).port}`
const hanging = () => `http://${targets.hang}`

const textOf = async (response: Promise<Dispatcher.ResponseData>) => (await response).body.text()

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterEach(() => binding.clearFaults())
  afterAll(() => manager.close())

  /** An agent and what it was made of; closed, and nothing left, when the test is over. */
  async function withAgent<T>(
    run: (agent: Dispatcher, connect: ReturnType<typeof connector>) => Promise<T>,
    limit = {},
  ) {
    const before = held()
    const connect = connector({ manager, tls: { ca: certificate.cert } })
    const agent = new Agent({ connect, ...limit })
    const result = await run(agent.compose(connect.cancelling()), connect)
    await agent.destroy()
    await expect.poll(held).toEqual(before)
    return result
  }

  describe('the connector', () => {
    it('serves http: and https:, with SNI and ALPN, by request and by fetch', () =>
      withAgent(async (dispatcher) => {
        expect(await textOf(dispatcher.request({ origin: at(plain), path: '/a', method: 'POST', body: 'x' }))).toBe(
          'POST /a',
        )
        const origin = at(secure, 'https', 'localhost')
        expect(await textOf(dispatcher.request({ origin, path: '/', method: 'GET' }))).toBe('http/1.1 localhost')
        expect(await (await fetch(`${at(plain)}/b`, { dispatcher })).text()).toBe('GET /b')
      }))

    it('speaks HTTP/2 where it is asked to', async () => {
      const connect = connector({ manager, tls: { ca: certificate.cert }, allowH2: true })
      const agent = new Agent({ connect, allowH2: true })
      const origin = at(second, 'https', 'localhost')
      expect(await textOf(agent.request({ origin, path: '/', method: 'GET' }))).toBe('h2.0')
      await agent.destroy()
    })

    it('takes an AF_UNIX path', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-undici-'))
      const socketPath = join(directory, 'socket')
      const server = http.createServer((_, response) => response.end('unix')).listen(socketPath)
      await once(server, 'listening')
      const agent = new Agent({ connect: connector({ manager, socketPath }) })
      expect(await textOf(agent.request({ origin: 'http://anything', path: '/', method: 'GET' }))).toBe('unix')
      await agent.destroy()
      server.close()
      rmSync(directory, { recursive: true })
    })

    it('fails requests with the ConnectError', () =>
      withAgent(async (dispatcher) => {
        const refused = dispatcher.request({ origin: `http://${targets.refuse}`, path: '/', method: 'GET' })
        await expect(refused).rejects.toMatchObject({ name: 'ConnectError', code: 'ECONNREFUSED' })
        const unknown = connector({ manager })
        const other = new Client(at(secure, 'https'), { connect: unknown })
        const untrusted = other.request({ path: '/', method: 'GET' })
        await expect(untrusted).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
        await other.destroy()
      }))

    it('puts TLS on a socket that undici got from a proxy', async () => {
      const { port } = new URL(at(secure))
      const httpSocket = net.connect({ host: '127.0.0.1', port: Number(port) })
      await once(httpSocket, 'connect')
      const options = { hostname: 'localhost', protocol: 'https:', port, httpSocket }
      const connect = connector({ manager, ca: certificate.cert })
      const socket = await new Promise<net.Socket>((resolve, reject) => {
        connect(options, (...[error, made]) => (error ? reject(error) : resolve(made!)))
      })
      expect(socket).toMatchObject({ encrypted: true, servername: 'localhost', authorized: true })
      socket.destroy()
    })

    it('goes on with another shared manager when one has closed itself', async () => {
      const agent = new Agent({ connect: connector({ engine }) })
      const get = () => textOf(agent.request({ origin: at(plain), path: '/', method: 'GET', reset: true }))
      expect(await get()).toBe('GET /')
      await sharedManager().close()
      expect(await get()).toBe('GET /')
      await agent.destroy()
    })

    it('is ended by its own signal, with all its connects', async () => {
      countCalls()
      const before = held()
      const controller = new AbortController()
      const { signal } = controller
      const agent = new Agent({ connect: connector({ manager, signal }) })
      const calls = [1, 2].map(() =>
        atSettlement(agent.request({ origin: hanging(), path: '/', method: 'GET' }), signal),
      )
      await blockedInConnect(2)
      controller.abort(new Error('shutting down'))
      for (const call of calls)
        expect((await call).error).toMatchObject({ code: 'ABORT_ERR', cause: { message: 'shutting down' } })
      expect([held(), listenersOn(signal)]).toEqual([before, 0])
      await agent.destroy()
    })
  })

  describe('a request that still connects', () => {
    it('is ended by its signal, and its connect with it, before it rejects', () =>
      withAgent(async (dispatcher) => {
        countCalls()
        const before = held()
        const { signal, abort } = control()
        const call = atSettlement(dispatcher.request({ origin: hanging(), path: '/', method: 'GET', signal }), signal)
        await blockedInConnect()
        abort('mine')
        expect(await call).toMatchObject({ error: 'mine', held: before, listeners: 0 })
      }))

    it('ends alone: the others of its origin go on', () =>
      withAgent(async (dispatcher) => {
        countCalls()
        const before = held()
        const controls = [control(), control()]
        const calls = controls.map(({ signal }) =>
          atSettlement(dispatcher.request({ origin: hanging(), path: '/', method: 'GET', signal }), signal),
        )
        await blockedInConnect(2)
        controls[0]!.abort('first')
        expect((await calls[0])!.error).toBe('first')
        expect(held().attempts).toBe(before.attempts + 1)
        controls[1]!.abort('second')
        expect(await calls[1]).toMatchObject({ error: 'second', held: before })
      }))

    it('leaves its connect to those who wait for it too, and the last one takes it along', async () => {
      countCalls()
      const before = held()
      const connect = connector({ manager })
      const pool = new Pool(hanging(), { connect, connections: 1 })
      const dispatcher = pool.compose(connect.cancelling())
      const controls = [control(), control()]
      const calls = controls.map(({ signal }) =>
        atSettlement(dispatcher.request({ path: '/', method: 'GET', signal }), signal),
      )
      await blockedInConnect()
      controls[0]!.abort('first')
      expect(await calls[0]).toMatchObject({ error: 'first', listeners: 0 })
      expect(held().attempts).toBe(before.attempts + 1)
      controls[1]!.abort('last')
      expect((await calls[1])!.error).toBe('last')
      await expect.poll(held).toEqual(before)
      expect(binding.callsSeen('connect')).toBe(1)
      await pool.destroy()
    })

    it('may come while a connect is being cancelled that it would have waited for: it has it again', async () => {
      countCalls()
      const before = held()
      const connect = connector({ manager })
      const client = new Client(hanging(), { connect })
      const dispatcher = client.compose(connect.cancelling())
      const controls = [control(), control()]
      const start = ({ signal }: (typeof controls)[number]) =>
        atSettlement(dispatcher.request({ path: '/', method: 'GET', signal }), signal)
      const first = start(controls[0]!)
      await blockedInConnect()
      controls[0]!.abort('first')
      const second = start(controls[1]!)
      expect((await first).error).toBe('first')
      await blockedInConnect(2)
      controls[1]!.abort('second')
      expect(await second).toMatchObject({ error: 'second', held: before, listeners: 0 })
      await client.destroy()
    })

    it('is not sent when it was aborted while its connect stood for another', async () => {
      const seen: string[] = []
      const server = http.createServer((request, response) => response.end(String(seen.push(`${request.url}`))))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const connect = connector({ manager })
      const client = new Client(at(server), { connect })
      const { signal, abort } = control()
      // By a signal and a handler that undici itself knows nothing of.
      const first = new Promise((resolve) => {
        const handler = { onRequestStart() {}, onResponseError: (_: unknown, error: Error) => resolve(error) }
        client.compose(connect.cancelling({ signal })).dispatch({ path: '/first', method: 'GET' }, handler)
      })
      const other = client.compose(connect.cancelling()).request({ path: '/other', method: 'GET' })
      abort('gone')
      expect(await first).toBe('gone')
      await textOf(other)
      expect(seen).toEqual(['/other'])
      await client.destroy()
      server.close()
    })

    it('by fetch, whose signal undici keeps to itself, is ended by a dispatcher composed for the call', () =>
      withAgent(async (dispatcher, connect) => {
        countCalls()
        const before = held()
        const { signal, abort } = control()
        const call = atSettlement(
          fetch(hanging(), { signal, dispatcher: dispatcher.compose(connect.cancelling({ signal })) }),
          signal,
        )
        await blockedInConnect()
        abort('mine')
        expect((await call).error).toBe('mine')
        await expect.poll(held).toEqual(before)
      }))

    it('is ended by its dispatcher’s destroy()', () =>
      withAgent(async (dispatcher) => {
        countCalls()
        const before = held()
        const call = dispatcher.request({ origin: hanging(), path: '/', method: 'GET' }).catch((error) => error)
        await blockedInConnect()
        await dispatcher.destroy()
        expect(await call).toMatchObject({ code: 'UND_ERR_DESTROYED' })
        await expect.poll(held).toEqual(before)
      }))

    it('never connects if it was aborted before', () =>
      withAgent(async (dispatcher) => {
        countCalls()
        const signal = AbortSignal.abort('early')
        await expect(dispatcher.request({ origin: hanging(), path: '/', method: 'GET', signal })).rejects.toBe('early')
        expect(binding.callsSeen('connect')).toBe(0)
      }))

    it.each(['a body of unknown length', 'its turn in line'])(
      'owns its connect, whenever it starts: %s',
      async (when) => {
        countCalls()
        const before = held()
        const connect = connector({ manager })
        const pool = new Pool(hanging(), { connect, connections: 1 })
        const dispatcher = pool.compose(connect.cancelling())
        const [first, then] = [control(), control()]
        const body = when.includes('body') ? Readable.from(['a', 'b']) : undefined
        const one = dispatcher.request({ path: '/', method: 'POST', body, signal: first.signal })
        const ended = expect(one).rejects.toBe('first')
        await blockedInConnect(1)
        const other = atSettlement(dispatcher.request({ path: '/', method: 'GET', signal: then.signal }), then.signal)
        if (when.includes('body')) {
          then.abort('then')
          expect((await other).error).toBe('then')
          first.abort('first')
          await ended
        } else {
          first.abort('first')
          await ended
          expect(held().attempts).toBe(before.attempts + 1)
          then.abort('then')
          expect((await other).error).toBe('then')
        }
        await expect.poll(held).toEqual(before)
        expect(binding.callsSeen('connect')).toBe(1)
        await pool.destroy()
      },
    )

    it('owns the right connect, though another request was dispatched before it started', () =>
      withAgent(async (dispatcher) => {
        countCalls()
        const { signal, abort } = control()
        const body = Readable.from(['a', 'b'])
        const call = atSettlement(
          dispatcher.request({ origin: hanging(), path: '/', method: 'POST', body, signal }),
          signal,
        )
        const other = dispatcher.request({ origin: at(plain), path: '/other', method: 'GET' })
        await blockedInConnect(2)
        expect(await textOf(other)).toBe('GET /other')
        const { attempts } = held()
        abort('mine')
        expect((await call).error).toBe('mine')
        expect([attempts, held().attempts]).toEqual([1, 0])
      }))

    it('has the next in line connect when its own connect failed, and that is cancelled as well', async () => {
      countCalls()
      const before = held()
      const connect = connector({ manager, timeoutMs: 100 })
      const pool = new Pool(hanging(), { connect, connections: 1 })
      const dispatcher = pool.compose(connect.cancelling())
      const { signal, abort } = control()
      const failed = expect(dispatcher.request({ path: '/', method: 'GET' })).rejects.toMatchObject({
        code: 'ETIMEDOUT',
      })
      const next = atSettlement(dispatcher.request({ path: '/', method: 'GET', signal }), signal)
      await failed
      await callsMade('connect', 2)
      abort('mine')
      expect(await next).toMatchObject({ error: 'mine', held: before, listeners: 0 })
      await pool.destroy()
    })
  })

  function control() {
    const controller = new AbortController()
    return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) }
  }
})
