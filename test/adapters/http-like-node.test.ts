/** What requests see of an agent's limits: the same of this Agent, over both engines, as of Node's own. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, LookupFunction, Socket } from 'node:net'
import type { ConnectionManager } from 'cancelpoint'
import { Agent, type AgentOptions } from 'cancelpoint/http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

/** Answers a request when the test says so. */
const answers = new Map<string, http.ServerResponse>()
const server = http.createServer((request, response) => answers.set(request.url!, response))
const port = () => (server.address() as AddressInfo).port

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(() => answers.clear())
afterAll(() => {
  server.close()
})

const come = (...paths: string[]) => expect.poll(() => paths.every((path) => answers.has(path))).toBe(true)

/** A request and all that it has said. */
function get(agent: http.Agent, at: number, path = '/', options: http.RequestOptions = {}) {
  const said: unknown[] = []
  const request = http.get({ host: 'name.test', port: at, path, agent, ...options }, (response) => {
    said.push(response.statusCode)
    response.resume()
  })
  request.on('error', (error: NodeJS.ErrnoException) => said.push(error.code))
  request.on('close', () => said.push('close'))
  return { said, request }
}

const ends = (requests: ReturnType<typeof get>[]) =>
  expect.poll(() => requests.every(({ said }) => said.includes('close'))).toBe(true)

const toLoopback: LookupFunction = (_, __, done) => done(null, [{ address: '127.0.0.1', family: 4 }])

describe.each(['Node’s own agent', ...engines])('%s', (which) => {
  let manager: ConnectionManager | undefined
  let idle: ReturnType<typeof held>

  beforeAll(async () => {
    if (which !== 'Node’s own agent') manager = await warmManager(targets.accept, { engine: which as never })
    idle = held()
  })
  afterEach(() => expect.poll(held).toEqual(idle))
  afterAll(() => manager?.close())

  function agentOf(options: AgentOptions) {
    const all = { lookup: toLoopback, ...options }
    return manager ? new Agent({ ...all, manager }) : new http.Agent(all)
  }

  function isEmpty(agent: http.Agent & { totalSocketCount?: number }) {
    const counted = ({ sockets, freeSockets, requests, totalSocketCount } = agent) => [
      sockets,
      freeSockets,
      requests,
      totalSocketCount,
    ]
    return expect.poll(() => counted()).toEqual([{}, {}, {}, 0])
  }

  it('fails every request to a port that refuses, once', async () => {
    const agent = agentOf({ maxSockets: 2 })
    const requests = [1, 2, 3, 4, 5, 6].map(() => get(agent, portOf(targets.refuse)))
    await ends(requests)
    await isEmpty(agent)
    expect(requests.map(({ said }) => said)).toEqual(requests.map(() => ['ECONNREFUSED', 'close']))
  })

  it('has room for as many sockets as before when connects have failed or were destroyed', async () => {
    const agent = agentOf({ maxTotalSockets: 2 })
    for (let failed = 0; failed < 4; failed += 1) {
      await ends([get(agent, portOf(targets.refuse))])
      const { request, said } = get(agent, portOf(targets.hang))
      request.destroy()
      await ends([{ request, said }])
    }
    const answered = get(agent, port(), '/answered')
    await come('/answered')
    answers.get('/answered')!.end()
    await ends([answered])
    expect(answered.said).toEqual([200, 'close'])
    agent.destroy()
    await isEmpty(agent)
  })

  it('goes on to another origin when a connect has failed', async () => {
    const agent = agentOf({ maxTotalSockets: 1 })
    const refused = get(agent, portOf(targets.refuse))
    const answered = get(agent, port(), '/answered')
    await come('/answered')
    answers.get('/answered')!.end()
    await ends([refused, answered])
    expect([refused.said, answered.said]).toEqual([
      ['ECONNREFUSED', 'close'],
      [200, 'close'],
    ])
    agent.destroy()
    await isEmpty(agent)
  })

  describe('two sockets in use, and requests in line', () => {
    type Found = (error: NodeJS.ErrnoException | null) => void
    let names: Found[]
    let agent: http.Agent
    let requests: ReturnType<typeof get>[]

    /** The names of the first two are found at once, those of the connects that follow when the test says so. */
    const lookup: LookupFunction = (name, options, done) => {
      names.push((error) => (error ? done(error, '') : toLoopback(name, options, done)))
      if (names.length <= 2) names.at(-1)!(null)
    }
    const said = () => requests.map((request) => request.said)
    const namesAsked = (count: number) => expect.poll(() => names.length).toBe(count)
    const inLine = (...paths: string[]) => {
      requests.push(...paths.map((path) => get(agent, port(), path)))
    }

    beforeEach(async () => {
      names = []
      agent = agentOf({ keepAlive: true, maxSockets: 2, lookup })
      requests = ['/0', '/1'].map((path) => get(agent, port(), path))
      await come('/0', '/1')
    })
    afterEach(async () => {
      agent.destroy()
      await isEmpty(agent)
    })

    it('a request that a connect is under way for fails with it, though a socket was freed meanwhile', async () => {
      inLine('/2')
      answers.get('/0')!.destroy()
      await namesAsked(3)
      answers.get('/1')!.end()
      await ends(requests.slice(0, 2))
      names[2]!(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
      await ends(requests)
      expect(said()).toEqual([
        ['ECONNRESET', 'close'],
        [200, 'close'],
        ['ENOTFOUND', 'close'],
      ])
    })

    it('is served by its own connect where that succeeds, and the freed socket stays for others', async () => {
      inLine('/2')
      answers.get('/0')!.destroy()
      await namesAsked(3)
      answers.get('/1')!.end()
      await ends(requests.slice(0, 2))
      names[2]!(null)
      await come('/2')
      inLine('/3')
      await come('/3')
      expect(requests.map(({ request }) => request.reusedSocket)).toEqual([false, false, false, true])
      for (const path of ['/2', '/3']) answers.get(path)!.end()
      await ends(requests)
      expect(said().slice(2)).toEqual([
        [200, 'close'],
        [200, 'close'],
      ])
      expect(Object.values(agent.freeSockets).flat()).toHaveLength(2)
      expect(names).toHaveLength(3)
    })

    it('two that close have a connect begun for each of the next two, whichever succeeds first', async () => {
      inLine('/2', '/3')
      for (const path of ['/0', '/1']) answers.get(path)!.destroy()
      await namesAsked(4)
      names[3]!(null)
      await come('/3')
      names[2]!(null)
      await come('/2')
      for (const path of ['/2', '/3']) answers.get(path)!.end()
      await ends(requests)
      expect(said()).toEqual([
        ['ECONNRESET', 'close'],
        ['ECONNRESET', 'close'],
        [200, 'close'],
        [200, 'close'],
      ])
      expect(names).toHaveLength(4)
    })

    it('a request that is destroyed while its connect is under way leaves its place to the next in line', async () => {
      inLine('/2', '/3')
      answers.get('/0')!.destroy()
      await namesAsked(3)
      requests[2]!.request.destroy()
      await namesAsked(4)
      names[3]!(null)
      await come('/3')
      for (const path of ['/1', '/3']) answers.get(path)!.end()
      await ends(requests)
      expect(said()).toEqual([
        ['ECONNRESET', 'close'],
        [200, 'close'],
        ['ECONNRESET', 'close'],
        [200, 'close'],
      ])
    })
  })
})

describe('names of what sockets are shared by', () => {
  const requests: https.RequestOptions[] = [
    {},
    { host: 'name.test', port: 8080 },
    { host: '::1', port: 8080, localAddress: '::1', family: 6, servername: 'name.test' },
    { socketPath: '/run/app.sock' },
    { host: 'name.test', port: 443, ca: 'ca', servername: 'other.test', rejectUnauthorized: false },
  ]

  it.each(requests)('are Node’s: %o', (request) => {
    expect(new Agent().getName(request)).toBe(new http.Agent().getName(request))
    const secure = new https.Agent().getName(request)
    expect(new Agent({ protocol: 'https:' }).getName(request)).toBe(secure)
    expect(new Agent().getName({ ...request, protocol: 'https:' })).toBe(secure)
  })
})

describe('createConnection of an agent', () => {
  it.each([
    ['options', () => [{ host: '127.0.0.1', port: port() }]],
    ['a port and a host', () => [port(), '127.0.0.1']],
    ['a port and options', () => [port(), { host: '127.0.0.1' }]],
    ['a port, a host and options', () => [port(), '127.0.0.1', { noDelay: true }]],
    ['a port, a host and null', () => [port(), '127.0.0.1', null]],
  ])('takes %s, and a listener', async (_, given) => {
    const create = Agent.prototype.createConnection as (...given: unknown[]) => Socket
    let isCalled = false
    const socket = create.call(new Agent(), ...given(), () => {
      isCalled = true
    })
    await once(socket, 'connect')
    expect([socket.remotePort, isCalled]).toEqual([port(), true])
    socket.destroy()
    await once(socket, 'close')
  })
})
