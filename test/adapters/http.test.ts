import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, BlockList } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import type { ConnectionManager } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()

const answer: http.RequestListener = (request, response) => {
  const { alpnProtocol, servername } = request.socket as TLSSocket & { servername?: string }
  response.end(JSON.stringify({ host: request.headers.host, alpnProtocol, servername, url: request.url }))
}
const plain = http.createServer(answer)
const secure = https.createServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, answer)

beforeAll(async () => {
  for (const server of [plain, secure]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
})
afterAll(() => {
  plain.close()
  secure.close()
})

const port = (server: http.Server | https.Server) => (server.address() as AddressInfo).port

async function read(request: http.ClientRequest) {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  return JSON.parse(text)
}

type Failure = NodeJS.ErrnoException & { port?: number }

/** What a request says until it is closed, and what is held the moment it says that. */
async function endOf(request: http.ClientRequest) {
  let error: Failure | undefined
  request.on('error', (thrown) => {
    error = thrown
  })
  await new Promise((resolve) => request.once('close', resolve))
  return { error, held: held() }
}

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  let agent: Agent
  let idle: ReturnType<typeof held>

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
    agent = new Agent({ manager, ca: certificate.cert })
    idle = held()
  })
  afterEach(async () => {
    binding.clearFaults()
    agent.destroy()
    // The servers are of this process, and close their ends a little later.
    await expect.poll(held).toEqual(idle)
  })
  afterAll(() => manager.close())

  describe('one agent', () => {
    it('serves http: and https:, with SNI and ALPN', async () => {
      const before = held()
      const host = `127.0.0.1:${port(plain)}`
      expect(await read(http.get(`http://${host}/a`, { agent }))).toEqual({ host, url: '/a' })
      expect(await read(https.get({ host: 'localhost', port: port(secure), path: '/b', agent }))).toEqual({
        host: `localhost:${port(secure)}`,
        url: '/b',
        alpnProtocol: false,
        servername: 'localhost',
      })
      await expect.poll(held).toEqual(before)
    })

    it.each([
      ['http://localhost/', 80],
      ['https://localhost/', 443],
      ['http://localhost:443/', 443],
      ['https://localhost:80/', 80],
      ['https://localhost:8443/', 8443],
    ])('finds the port of %s', async (url, expected) => {
      const blockList = new BlockList()
      blockList.addSubnet('127.0.0.0', 8)
      blockList.addAddress('::1', 'ipv6')
      const get = url.startsWith('https') ? https.get : http.get
      const { error } = await endOf(get(url, { agent: new Agent({ manager, blockList }) }))
      expect(error).toMatchObject({ code: 'ERR_BLOCKED', port: expected })
    })

    it('keeps sockets alive, and its limits count connects under way', async () => {
      const before = held()
      const few = new Agent({ manager, keepAlive: true, maxSockets: 2 })
      const requests = Array.from({ length: 6 }, () => http.get({ host: '127.0.0.1', port: port(plain), agent: few }))
      const [name] = Object.keys(few.sockets)
      expect([few.sockets[name!]?.length, few.requests[name!]?.length]).toEqual([2, 4])
      await Promise.all(requests.map(read))
      const [socket] = Object.values(few.freeSockets)[0]!
      const again = http.get({ host: '127.0.0.1', port: port(plain), agent: few })
      await read(again)
      expect(again.reusedSocket).toBe(true)
      expect(again.socket === socket || Object.values(few.freeSockets)[0]!.includes(again.socket!)).toBe(true)
      few.destroy()
      await expect.poll(held).toEqual(before)
    })

    it('gives https: no plain socket of the same host and port, nor one of another port', async () => {
      const shared = new Agent({ manager, keepAlive: true })
      const { host, port: at } = { host: '127.0.0.1', port: port(plain) }
      await read(http.get({ host, port: at, agent: shared }))
      expect(Object.keys(shared.freeSockets)).toHaveLength(1)
      const { error } = await endOf(https.get({ host, port: at, agent: shared }))
      expect(['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']).toContain(error?.code)
      const urls = ['http://name.test/', 'https://name.test/', 'https://name.test:80/']
      const names = urls.map((url) => {
        const request = (url.startsWith('https') ? https : http).get(url, { agent: shared, lookup: () => {} })
        request.on('error', () => {}).destroy()
        return Object.keys(shared.sockets)
      })
      expect(new Set(names.flat()).size).toBe(urls.length)
      shared.destroy()
    })

    it.each([undefined, 5, [null]])('fails a request whose lookup finds %j', async (found) => {
      const lookup = ((_name, _options, done) =>
        setImmediate(done, null, found as never)) as http.RequestOptions['lookup']
      const { error } = await endOf(http.get('http://name.test/', { agent, lookup }))
      expect(error).toMatchObject({ code: 'ERR_INVALID_IP_ADDRESS' })
    })

    it('makes a connection for whoever asks it to', async () => {
      const { signal } = new AbortController()
      const socket = agent.createConnection({ host: '127.0.0.1', port: port(plain), signal } as never)
      await once(socket, 'connect')
      expect(socket.remotePort).toBe(port(plain))
      socket.destroy()
    })

    it('goes on to the next in line when one fails, and tries none twice', async () => {
      countCalls()
      const one = new Agent({ manager, maxSockets: 1 })
      const ends = [1, 2, 3].map(() => endOf(http.get({ host: '127.0.0.1', port: portOf(targets.refuse), agent: one })))
      for (const { error } of await Promise.all(ends)) expect(error).toMatchObject({ code: 'ECONNREFUSED' })
      await wait(20)
      expect(binding.callsSeen('connect')).toBe(3)
      expect([one.sockets, one.requests]).toEqual([{}, {}])
    })

    it('refuses a certificate that nobody vouches for', async () => {
      const request = https.get({ host: '127.0.0.1', port: port(secure), agent: new Agent({ manager }) })
      expect((await endOf(request)).error).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    })
  })

  describe('a request that still connects', () => {
    const hanging = () => ({ host: '127.0.0.1', port: portOf(targets.hang), agent })

    it.each<[string, (request: http.ClientRequest, controller: AbortController) => void, object]>([
      ['its signal', (_, controller) => controller.abort(), { name: 'AbortError', code: 'ABORT_ERR' }],
      ['destroy()', (request) => request.destroy(), { message: 'socket hang up', code: 'ECONNRESET' }],
      ['destroy(error)', (request) => request.destroy(new Error('enough')), { message: 'enough' }],
      ['the agent’s destroy()', () => agent.destroy(), { code: 'ECONNRESET' }],
    ])('is ended by %s, and its connect with it, before it is closed', async (_, stop, expected) => {
      countCalls()
      const before = held()
      const controller = new AbortController()
      const request = http.get({ ...hanging(), signal: controller.signal })
      const end = endOf(request)
      await blockedInConnect()
      stop(request, controller)
      const { error, held: atClose } = await end
      expect(error).toMatchObject(expected)
      expect(atClose).toEqual(before)
      await expect.poll(() => agent.sockets).toEqual({})
    })

    it('says that its timeout is over', async () => {
      const before = held()
      const request = http.get({ ...hanging(), timeout: 30 })
      const end = endOf(request)
      await once(request, 'timeout')
      request.destroy()
      expect((await end).held).toEqual(before)
    })

    it('never connects if it was destroyed before its turn', async () => {
      countCalls()
      const one = new Agent({ manager, maxSockets: 1 })
      const first = http.get({ ...hanging(), agent: one })
      const second = http.get({ ...hanging(), agent: one })
      const ends = [endOf(first), endOf(second)] as const
      await blockedInConnect()
      second.destroy(new Error('no longer'))
      first.destroy()
      const [, { error }] = await Promise.all(ends)
      expect(error).toMatchObject({ message: 'no longer' })
      expect(binding.callsSeen('connect')).toBe(1)
      await expect.poll(() => [one.sockets, one.requests]).toEqual([{}, {}])
    })
  })
})
