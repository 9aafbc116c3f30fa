import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { selfSigned } from '../support/certificate.js'
import { because, lackingServer, useServer } from '../support/servers.js'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'
import {
  abortInConnect,
  expectAbortInConnect,
  expectAbortOfConnect,
  expectLimitOfConnect,
  leavesNothing,
} from './abort.js'
import { recipe } from './recipes.js'

const targets = useStations()
const { cert: ca, key } = selfSigned()
const nginx = useServer('nginx', { 'cert.pem': ca, 'key.pem': key })
const lacking = lackingServer('nginx')
const url = (path: string) => `https://localhost:${nginx.port}${path}`
const soon = 100
const hanging = () => `https://${targets.hang}/`

const { secureSocket } = await recipe('tls')
const { agentFor, get } = await recipe('http')
const { gotOver } = await recipe('got')
const { axiosOver } = await recipe('axios')
const { fetchOver } = await recipe('node-fetch')
const { undiciAgent } = await recipe('undici')

afterEach(() => binding.clearFaults())

/** What nginx saw: scheme, SNI, ALPN, path. */
const seen = (path: string) => `https localhost http/1.1 ${path}`
/** The same of Node's own agent, which offers no ALPN in some versions. */
const seenOfNode = (path: string) => expect.stringMatching(`^https localhost (http/1.1)? ${path}$`)

describe('node:tls', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const socket: TLSSocket = await secureSocket('localhost', nginx.port, { ca })
      expect([socket.authorized, socket.alpnProtocol]).toEqual([true, 'http/1.1'])
      socket.write('GET /tls HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
      let text = ''
      for await (const chunk of socket) text += chunk
      expect(text).toContain(seen('/tls'))
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { secureSocket } = await recipe('tls', engine)
    await expectAbortInConnect((signal) => secureSocket('127.0.0.1', portOf(targets.hang), { signal }))
  })
})

describe('node:https', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const agent = agentFor(ca)
      for (const path of ['/a', '/b']) expect(await get(url(path), { agent })).toEqual(seenOfNode(path))
      agent.destroy()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { agentFor, get } = await recipe('http', engine)
    const agent = agentFor(ca)
    await expectAbortOfConnect((signal) => get(hanging(), { agent, signal }), {
      code: 'ABORT_ERR',
      cause: { message: 'changed my mind' },
    })
  })
})

describe('got', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const client = gotOver(ca)
      for (const path of ['/a', '/b']) expect(await client(url(path)).text()).toEqual(seenOfNode(path))
      client.defaults.options.agent.https.destroy()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { gotOver } = await recipe('got', engine)
    await expectAbortOfConnect((signal) => gotOver(ca)(hanging(), { signal }), { code: 'ERR_ABORTED' })
  })

  it('ends a connect by its own limits', async () => {
    const limited =
      (timeout: object, url = hanging()) =>
      () =>
        gotOver(ca)(url, { timeout })
    await expectLimitOfConnect(limited({ connect: soon }), { code: 'ETIMEDOUT', event: 'connect' })
    await expectLimitOfConnect(limited({ request: soon }), { code: 'ETIMEDOUT', event: 'request' })
    await expectLimitOfConnect(limited({ secureConnect: soon }, `https://${targets.accept}/`), {
      code: 'ETIMEDOUT',
      event: 'secureConnect',
    })
  })

  it.skipIf(lacking)(`has its timings${because(lacking)}`, async () => {
    const client = gotOver(ca)
    const { timings } = await client(url('/a'))
    expect(timings.phases).toMatchObject({
      dns: expect.any(Number),
      tcp: expect.any(Number),
      tls: expect.any(Number),
      firstByte: expect.any(Number),
    })
    client.defaults.options.agent.https.destroy()
  })
})

describe('axios', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const client = axiosOver(ca)
      for (const path of ['/a', '/b']) expect((await client.get(url(path))).data).toEqual(seenOfNode(path))
      client.defaults.httpsAgent.destroy()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { axiosOver } = await recipe('axios', engine)
    await expectAbortOfConnect((signal) => axiosOver(ca).get(hanging(), { signal }), { code: 'ERR_CANCELED' })
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(() => axiosOver(ca).get(hanging(), { timeout: soon }), { code: 'ECONNABORTED' }))
})

describe('node-fetch', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const fetch = fetchOver(ca)
      for (const path of ['/a', '/b']) {
        const headers = { connection: 'close' }
        expect(await (await fetch(url(path), { headers })).text()).toEqual(seenOfNode(path))
      }
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { fetchOver } = await recipe('node-fetch', engine)
    await expectAbortOfConnect((signal) => fetchOver(ca)(hanging(), { signal }), { type: 'aborted' })
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(() => fetchOver(ca)(hanging(), { timeout: soon }), { type: 'request-timeout' }))
})

describe('undici', () => {
  it.skipIf(lacking)(`speaks with nginx${because(lacking)}`, () =>
    leavesNothing(async () => {
      const { agent, fetch } = undiciAgent(ca)
      const { body } = await agent.request({ origin: url(''), path: '/a', method: 'GET' })
      expect(await body.text()).toBe(seen('/a'))
      expect(await (await fetch(url('/b'), {})).text()).toBe(seen('/b'))
      await agent.destroy()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { undiciAgent } = await recipe('undici', engine)
    const { agent } = undiciAgent(ca)
    const request = (signal: AbortSignal) => agent.request({ origin: hanging(), path: '/', method: 'GET', signal })
    const { error, held, before, listeners } = await abortInConnect(request)
    expect(error).toMatchObject({ message: 'changed my mind' })
    expect({ held, listeners }).toEqual({ held: before, listeners: 0 })
  })

  it.each(engines)('is aborted while it connects for fetch, %s engine', async (engine) => {
    const { undiciAgent } = await recipe('undici', engine)
    const fetch = (signal: AbortSignal) => undiciAgent(ca).fetch(hanging(), { signal })
    await expectAbortOfConnect(fetch, { message: 'changed my mind' })
  })
})
