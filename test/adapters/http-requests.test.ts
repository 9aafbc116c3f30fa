/** What a request sees of its socket by the Agent: the same as by Node's own, asked in one table. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Agent, type AgentOptions } from 'cancelpoint/http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()
const plain = http.createServer((_, response) => response.end('plain'))
const secure = https.createServer({ ...certificate, maxVersion: 'TLSv1.2' }, (_, response) => response.end('secure'))
secure.on('OCSPRequest', (_certificate, _issuer, done) => done(null, Buffer.from('stapled')))
const port = (server: net.Server) => (server.address() as AddressInfo).port

let manager: Awaited<ReturnType<typeof warmManager>>
let idle: ReturnType<typeof held>
let agents: http.Agent[] = []

beforeAll(async () => {
  for (const server of [plain, secure]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  manager = await warmManager(targets.accept)
  idle = held()
})
afterEach(async () => {
  for (const agent of agents) agent.destroy()
  agents = []
  await expect.poll(held).toEqual(idle)
})
afterAll(async () => {
  plain.close()
  secure.close()
  await manager.close()
})

type Make = (options?: AgentOptions) => http.Agent
const made = (agent: http.Agent) => {
  agents.push(agent)
  return agent
}
const makers: [string, { plain: Make; secure: Make }][] = [
  [
    'Node’s own agent',
    { plain: (options) => made(new http.Agent(options)), secure: (options) => made(new https.Agent(options)) },
  ],
  [
    'cancelpoint’s',
    {
      plain: (options) => made(new Agent({ manager, ...options })),
      secure: (options) => made(new Agent({ manager, ...options })),
    },
  ],
]

const closed = (emitter: NodeJS.EventEmitter) => new Promise((resolve) => emitter.once('close', resolve))
const hanging = () => ({ host: '127.0.0.1', port: portOf(targets.hang) })

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.5')
  await once(server, 'listening')
  const free = port(server)
  server.close()
  await once(server, 'close')
  return free
}

describe.each(makers)('%s', (_, make) => {
  /** What it says until it is closed. */
  async function toldBy(request: http.ClientRequest, names: string[]) {
    const seen: string[] = []
    for (const name of names)
      request.on(name, (given?: unknown) =>
        seen.push(given instanceof Error ? `${name} ${(given as NodeJS.ErrnoException).code}` : name),
      )
    await closed(request)
    return seen
  }
  const names = ['socket', 'timeout', 'abort', 'error', 'response', 'close']

  describe('a request to a host that never answers', () => {
    it.each<[string, () => http.ClientRequest]>([
      ['its timeout', () => http.get({ ...hanging(), agent: make.plain(), timeout: 30 })],
      ['its agent’s timeout', () => http.get({ ...hanging(), agent: make.plain({ timeout: 30 }) })],
      ['the timeouts of both', () => http.get({ ...hanging(), agent: make.plain({ timeout: 10_000 }), timeout: 30 })],
      ['its timeout, of https:', () => https.get({ ...hanging(), agent: make.secure(), timeout: 30 })],
      ['its agent’s timeout, of https:', () => https.get({ ...hanging(), agent: make.secure({ timeout: 30 }) })],
    ])('is told of it once, and goes on until it is destroyed: %s', async (_how, ask) => {
      const request = ask()
      const told = toldBy(request, names)
      await once(request, 'timeout')
      // A second 'timeout' would come by now.
      await new Promise((resolve) => setTimeout(resolve, 60))
      expect(request.destroyed).toBe(false)
      request.destroy()
      expect(await told).toEqual(['socket', 'timeout', 'error ECONNRESET', 'close'])
    })

    it.each(['http:', 'https:'])('counts its setTimeout() from the connect on: %s', async (protocol) => {
      const request =
        protocol === 'http:'
          ? http.get({ ...hanging(), agent: make.plain() })
          : https.get({ ...hanging(), agent: make.secure() })
      const told = toldBy(request.setTimeout(20), names)
      // A 'timeout' would come by then.
      setTimeout(() => request.destroy(), 60)
      expect(await told).toEqual(['socket', 'error ECONNRESET', 'close'])
    })

    it.each<[string, (agent: http.Agent) => http.ClientRequest]>([
      ['http:', (agent) => http.get({ ...hanging(), agent })],
      ['https:', (agent) => https.get({ ...hanging(), agent })],
    ])('ends by agent.destroy(): %s', async (protocol, ask) => {
      const agent = protocol === 'http:' ? make.plain() : make.secure()
      const request = ask(agent)
      const told = toldBy(request, names)
      await once(request, 'socket')
      agent.destroy()
      expect(await told).toEqual(['socket', 'error ECONNRESET', 'close'])
      await expect.poll(() => agent.sockets).toEqual({})
    })

    it.each(['http:', 'https:'])('ends by its signal: %s', async (protocol) => {
      const controller = new AbortController()
      const { signal } = controller
      const request =
        protocol === 'http:'
          ? http.get({ ...hanging(), agent: make.plain(), signal })
          : https.get({ ...hanging(), agent: make.secure(), signal })
      const told = toldBy(request, names)
      await once(request, 'socket')
      controller.abort()
      expect(await told).toEqual(['socket', 'error ABORT_ERR', 'close'])
    })
  })

  it('keeps a destroy() that its user wrapped', async () => {
    const request = http.get({ ...hanging(), agent: make.plain() })
    const wrapped = (error?: Error) => http.ClientRequest.prototype.destroy.call(request, error)
    request.destroy = wrapped as never
    await once(request, 'socket')
    const told = toldBy(request, names)
    request.destroy()
    expect([request.destroy, await told]).toEqual([wrapped, ['error ECONNRESET', 'close']])
  })

  it.each(['http:', 'https:'])('says the source of a failed connect: %s', async (protocol) => {
    const source = { localAddress: '127.0.0.5', localPort: await freePort() }
    const options = { host: '127.0.0.1', port: portOf(targets.refuse), ...source }
    const request =
      protocol === 'http:'
        ? http.get({ ...options, agent: make.plain() })
        : https.get({ ...options, agent: make.secure() })
    const closing = closed(request)
    const [error] = await once(request, 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED', ...source })
    await closing
  })

  describe('of https:', () => {
    it('has the events of TLS 1.2: session, keylog and OCSPResponse', async () => {
      const agent = make.secure({ ca: certificate.cert })
      const keylogs: Buffer[] = []
      agent.on('keylog' as never, ((line: Buffer) => keylogs.push(line)) as never)
      const seen = new Set<string>()
      const options = { host: 'localhost', family: 4, port: port(secure), agent, requestOCSP: true }
      const request = https.get(options as https.RequestOptions)
      request.on('socket', (socket) => {
        for (const name of ['session', 'keylog', 'OCSPResponse', 'secureConnect']) socket.on(name, () => seen.add(name))
      })
      const [response] = await once(request, 'response')
      response.resume()
      await closed(request)
      expect([...seen].sort()).toEqual(['OCSPResponse', 'keylog', 'secureConnect', 'session'])
      expect(keylogs.length).toBeGreaterThan(0)
    })

    it.each([true, false])('heeds allowHalfOpen %s', async (allowHalfOpen) => {
      const agent = make.secure({ ca: certificate.cert })
      const options = { host: 'localhost', family: 4, port: port(secure), agent, allowHalfOpen }
      const request = https.get(options as https.RequestOptions)
      const [socket] = (await once(request, 'socket')) as [TLSSocket]
      const found = socket.allowHalfOpen
      request.on('response', (response) => response.resume())
      await closed(request)
      expect(found).toBe(allowHalfOpen)
    })
  })
})

describe('the Agent alone', () => {
  it.each(['127.0.0.1', '::ffff:127.0.0.1'])('takes a mapped source, to %s', async (host) => {
    const sources: (string | undefined)[] = []
    const seen = (socket: net.Socket) => sources.push(socket.remoteAddress)
    plain.on('connection', seen)
    const agent = made(new Agent({ manager }))
    const request = http.get({ host, port: port(plain), localAddress: '::ffff:127.0.0.6', agent })
    const [response] = await once(request, 'response')
    response.resume()
    await closed(request)
    plain.off('connection', seen)
    expect(sources).toEqual(['127.0.0.6'])
  })

  it.each<[string, object, string]>([
    ['http:', {}, 'refuse'],
    ['https:', { protocol: 'https:' }, 'refuse'],
    ['http:, to a path', { path: '/nothing/there.sock', socketPath: '/nothing/there.sock' }, 'refuse'],
  ])('makes a connection without a callback, whose failure is its socket’s: %s', async (_, options, which) => {
    const socket = made(new Agent({ manager })).createConnection({
      host: '127.0.0.1',
      port: portOf(targets[which as 'refuse']),
      ...options,
    } as never) as net.Socket
    const errors: unknown[] = []
    socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code))
    await closed(socket)
    expect(errors).toEqual([expect.stringMatching(/^(ECONNREFUSED|ENOENT)$/)])
  })

  it.each<[string, object]>([
    ['http:', {}],
    ['https:', { protocol: 'https:' }],
  ])('makes a connection without a callback, and destroy() ends it: %s', async (_, options) => {
    const rejections: unknown[] = []
    const onRejection = (error: unknown) => rejections.push(error)
    process.on('unhandledRejection', onRejection)
    const socket = made(new Agent({ manager })).createConnection({ ...hanging(), ...options } as never) as net.Socket
    setImmediate(() => socket.destroy())
    await closed(socket)
    await new Promise(setImmediate)
    process.off('unhandledRejection', onRejection)
    expect([rejections, held()]).toEqual([[], idle])
  })

  it('may stand in the place of Node’s classes', async () => {
    const [nodesPlain, nodesSecure] = [http.Agent, https.Agent]
    try {
      http.Agent = Agent as never
      https.Agent = Agent as never
      const agent = made(new https.Agent({ ca: certificate.cert, ...({ manager } as object) }))
      const request = https.get({ host: 'localhost', family: 4, port: port(secure), agent })
      const [response] = await once(request, 'response')
      response.resume()
      await closed(request)
      expect([agent instanceof nodesSecure, agent instanceof nodesPlain, response.statusCode]).toEqual([
        true,
        true,
        200,
      ])
    } finally {
      http.Agent = nodesPlain
      https.Agent = nodesSecure
    }
  })

  it('refuses proxyEnv, with a word', () => {
    expect(() => new Agent({ proxyEnv: process.env } as never)).toThrow(/^proxyEnv is not for this Agent/)
    expect(() => new Agent({ proxyEnv: undefined } as never)).not.toThrow()
  })
})
