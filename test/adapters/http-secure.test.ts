/** Whether a request is secure is read from the request: what is meant for TLS is never sent in plain text. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { Agent, type AgentOptions } from 'cancelpoint/http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const targets = useStations()
const certificate = selfSigned()

/** What each connection began with. */
let sent: string[] = []
const listening = net.createServer((peer) => {
  peer
    .on('error', () => {})
    .once('data', (bytes) => {
      sent.push(bytes[0] === 0x16 ? 'TLS' : bytes.toString('latin1').split('\r\n', 1)[0]!)
      peer.destroy()
    })
})
const answering = https.createServer(certificate, (request, response) =>
  response.end(String(request.headers.authorization)),
)
const port = (server: net.Server) => (server.address() as AddressInfo).port

const nodes = { http: http.globalAgent, https: https.globalAgent }
const headers = { authorization: 'Basic c2VjcmV0' }
type Options = https.RequestOptions
let manager: Awaited<ReturnType<typeof warmManager>>
let idle: ReturnType<typeof held>
let agents: Agent[] = []

beforeAll(async () => {
  for (const server of [listening, answering]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  manager = await warmManager(targets.accept)
  idle = held()
})
afterEach(async () => {
  http.globalAgent = nodes.http
  https.globalAgent = nodes.https
  for (const agent of agents) agent.destroy()
  agents = []
  sent = []
  await expect.poll(held).toEqual(idle)
})
afterAll(async () => {
  listening.close()
  answering.close()
  await manager.close()
})

function agentOf(options: AgentOptions = {}) {
  const agent = new Agent({ manager, ca: certificate.cert, ...options })
  agents.push(agent)
  return agent
}

/** How a request ends: what was answered, or the code it failed with. */
function endOf(request: http.ClientRequest): Promise<string> {
  return new Promise((resolve) => {
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    request.on('response', (response) => {
      response.setEncoding('utf8').once('data', resolve)
    })
  })
}

const place = (server: net.Server): Options => ({ host: 'localhost', port: port(server), family: 4, headers })
const url = (server: net.Server, protocol = 'https') => `${protocol}://localhost:${port(server)}/`

const asGlobal = () => {
  https.globalAgent = agentOf() as never
}
const asBoth = () => {
  asGlobal()
  http.globalAgent = agentOf() as never
}

type Ask = (server: net.Server) => http.ClientRequest

const having =
  (first: () => void, ask: Ask): Ask =>
  (server) => {
    first()
    return ask(server)
  }

const secure: [string, Ask][] = [
  ['https.get(options), its agent global', having(asGlobal, (at) => https.get(place(at)))],
  ['https.request(options), its agent global', having(asGlobal, (at) => https.request(place(at)).end())],
  ['https.get(url), its agent global', having(asGlobal, (at) => https.get(url(at), { headers, family: 4 }))],
  ['https.get(URL), its agent global', having(asGlobal, (at) => https.get(new URL(url(at)), { headers, family: 4 }))],
  ['https.get(options), an agent for each module', having(asBoth, (at) => https.get(place(at)))],
  ['https.get(url), an agent for each module', having(asBoth, (at) => https.get(url(at), { headers, family: 4 }))],
  ['https.get({ agent })', (at) => https.get({ ...place(at), agent: agentOf() })],
  ['https.get(url, { agent })', (at) => https.get(url(at), { headers, family: 4, agent: agentOf() })],
  ['https.get({ agent }) and another global', having(asGlobal, (at) => https.get({ ...place(at), agent: agentOf() }))],
  ['https.get({ agent }) of https: alone', (at) => https.get({ ...place(at), agent: agentOf({ protocol: 'https:' }) })],
  [
    'http.get({ protocol, agent })',
    (at) => http.get({ ...place(at), protocol: 'https:', agent: agentOf({ protocol: 'https:' }) }),
  ],
]

describe('a request of https:', () => {
  it.each(secure)('begins with TLS: %s', async (_, ask) => {
    expect(await endOf(ask(listening))).toBe('ECONNRESET')
    expect(sent).toEqual(['TLS'])
  })

  it.each(secure)('is answered: %s', async (_, ask) => {
    expect(await endOf(ask(answering))).toBe(headers.authorization)
  })
})

it.each<[string, Options]>([
  ['by its host', { host: 'localhost.' }],
  ['by its host and a header', { host: '127.0.0.1', headers: { host: 'localhost.' } }],
  ['by its servername', { host: '127.0.0.1', servername: 'localhost.' }],
])('names its server without a final dot, %s', async (_, options) => {
  const named = once(answering, 'secureConnection')
  const request = https.get({ ...place(answering), ...options, agent: agentOf() })
  await endOf(request)
  const [socket] = await named
  expect(socket.servername).toBe('localhost')
})

describe('a request in line', () => {
  it.each<[string, Ask]>([
    ['was asked of the global agent', (at) => https.get(place(at))],
    ['names its agent', (at) => https.get({ ...place(at), agent: https.globalAgent })],
    ['has a URL', (at) => https.get(url(at), { headers, family: 4 })],
  ])('stays what it was when another agent becomes global: it %s', async (_, ask) => {
    https.globalAgent = agentOf({ maxSockets: 1 }) as never
    const ends = [1, 2, 3].map(() => endOf(ask(listening)))
    https.globalAgent = nodes.https
    expect(await Promise.all(ends)).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
    expect(sent).toEqual(['TLS', 'TLS', 'TLS'])
  })

  it('keeps its port when its agent becomes global', async () => {
    const blockList = new net.BlockList()
    blockList.addSubnet('127.0.0.0', 8)
    const agent = agentOf({
      maxSockets: 1,
      blockList,
      lookup: (_name, _options, done) => setImmediate(done, null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const ports = [1, 2].map(() => {
      const request = https.get('https://name.test/', { agent })
      return once(request, 'error').then(([error]) => error.port)
    })
    https.globalAgent = agent as never
    expect(await Promise.all(ports)).toEqual([443, 443])
  })
})

describe('a request of http:', () => {
  it.each<[string, Ask]>([
    ['http.get({ agent })', (at) => http.get({ ...place(at), agent: agentOf() })],
    ['http.get(url, { agent })', (at) => http.get(url(at, 'http'), { family: 4, agent: agentOf() })],
    ['http.get(options), an agent for each module', having(asBoth, (at) => http.get(place(at)))],
    ['http.get(url), an agent for each module', having(asBoth, (at) => http.get(url(at, 'http'), { family: 4 }))],
  ])('begins in plain text: %s', async (_, ask) => {
    await endOf(ask(listening))
    expect(sent).toEqual(['GET / HTTP/1.1'])
  })
})

describe('in doubt', () => {
  const oneForBoth = () => {
    const agent = agentOf() as never
    http.globalAgent = agent
    https.globalAgent = agent
  }

  it.each<[string, Ask, RegExp]>([
    ['one agent for both: https.get(options)', having(oneForBoth, (at) => https.get(place(at))), /make one for each/],
    ['one agent for both: https.get(url)', having(oneForBoth, (at) => https.get(url(at))), /make one for each/],
    ['one agent for both: http.get(options)', having(oneForBoth, (at) => http.get(place(at))), /make one for each/],
    [
      'https.get() by an agent of http: alone',
      (at) => https.get({ ...place(at), agent: agentOf({ protocol: 'http:' }) }),
      /not supported/,
    ],
    [
      'https.get() by the agent of http',
      having(asBoth, (at) => https.get({ ...place(at), agent: http.globalAgent })),
      /not supported/,
    ],
    ['http.get() of https:', (at) => http.get({ ...place(at), protocol: 'https:', agent: agentOf() }), /./],
    ['https.get() of http:', (at) => https.get({ ...place(at), protocol: 'http:', agent: agentOf() }), /./],
  ])('it is refused, and nothing is sent: %s', async (_, ask, message) => {
    let request: http.ClientRequest | undefined
    expect(() => {
      request = ask(listening)
      request.on('error', () => {})
    }).toThrow(message)
    expect([request, sent]).toEqual([undefined, []])
  })
})
