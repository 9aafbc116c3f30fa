import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { text } from 'node:stream/consumers'
import ssh from 'ssh2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { binding } from '#internal/bridge/binding'
import { selfSigned } from '../support/certificate.js'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'
import { expectAbortOfConnect, expectEndOfConnect, expectLimitOfConnect, leavesNothing } from './abort.js'
import { recipe } from './recipes.js'
import { kafkaServer, mqttServer } from './small-servers.js'

const targets = useStations()
const hanging = () => ({ host: '127.0.0.1', port: portOf(targets.hang) })
const { cert: ca, key } = selfSigned()
const soon = 100

const { webSocket, plainWebSocket } = await recipe('ws')
const { http2Session } = await recipe('http2')
const { kafkaOver } = await recipe('kafkajs')
const { mqttOver } = await recipe('mqtt')
const { sshOver } = await recipe('ssh2')

afterEach(() => binding.clearFaults())

/** Listens while the tests of this file run. */
function use<S extends { close(): unknown }>(server: S) {
  const at = { host: '127.0.0.1', port: 0 }
  beforeAll(async () => {
    const listening = server as unknown as Server
    listening.listen(0, at.host)
    await once(listening, 'listening')
    at.port = (listening.address() as AddressInfo).port
  })
  afterAll(() => {
    server.close()
  })
  return at
}

const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'changed my mind' } }

describe('ws', () => {
  const echoing = <S extends Server>(server: S) => {
    new WebSocketServer({ server: server as never }).on('connection', (peer) =>
      peer.on('message', (message) => peer.send(String(message))),
    )
    return server
  }
  const plain = use(echoing(http.createServer()))
  const secure = use(echoing(https.createServer({ cert: ca, key })))
  const hangingUrl = () => `ws://${targets.hang}`

  it.each([
    ['ws: by an agent', () => webSocket(`ws://localhost:${plain.port}`, {})],
    ['wss: by an agent', () => webSocket(`wss://localhost:${secure.port}`, { ca })],
    ['ws: by createConnection', () => plainWebSocket(`ws://localhost:${plain.port}`, {})],
  ])('speaks %s', (_, open) =>
    leavesNothing(async () => {
      const client = open()
      await once(client, 'open')
      client.send('hello')
      const [message] = await once(client, 'message')
      expect(String(message)).toBe('hello')
      client.close()
      await once(client, 'close')
    }),
  )

  it.each(engines)('is terminated while it connects, %s engine', async (engine) => {
    const { webSocket, plainWebSocket } = await recipe('ws', engine)
    for (const open of [webSocket, plainWebSocket])
      await expectEndOfConnect(
        () => open(hangingUrl(), {}),
        'close',
        (client) => client.terminate(),
      )
  })

  it('ends a connect by its own limit', async () => {
    for (const open of [webSocket, plainWebSocket])
      await expectLimitOfConnect(() => once(open(hangingUrl(), { handshakeTimeout: soon }), 'open'), {
        message: 'Opening handshake has timed out',
      })
  })
})

describe('node:http2', () => {
  const answer: Parameters<typeof http2.createServer>[1] = (request, response) => response.end(`saw ${request.url}`)
  const plain = use(http2.createServer(answer))
  const secure = use(http2.createSecureServer({ cert: ca, key }, answer))

  it.each([
    ['http:', () => `http://localhost:${plain.port}`],
    ['https:', () => `https://localhost:${secure.port}`],
  ])('speaks %s', (_, url) =>
    leavesNothing(async () => {
      const session = http2Session(url(), { ca })
      expect(await text(session.request({ ':path': '/a' }))).toBe('saw /a')
      session.close()
      await once(session, 'close')
    }),
  )

  describe.each(engines)('%s engine', (engine) => {
    it.each(['http', 'https'])('is aborted while it connects, %s:', async (scheme) => {
      const { http2Session } = await recipe('http2', engine)
      await expectAbortOfConnect(
        (signal) => once(http2Session(`${scheme}://${targets.hang}`, { signal }), 'connect'),
        aborted,
      )
    })
  })

  it('ends a connect by timeoutMs', () =>
    expectLimitOfConnect(() => once(http2Session(`https://${targets.hang}`, { timeoutMs: soon }), 'connect'), {
      name: 'ConnectError',
      code: 'ETIMEDOUT',
    }))
})

describe('kafkajs', () => {
  const broker = use(kafkaServer('cats'))
  const secure = use(kafkaServer('cats', { cert: ca, key }))
  const silent = { clientId: 'test', logLevel: 0, retry: { retries: 0 } }
  const hangingKafka = () => ({ ...silent, brokers: [targets.hang] })

  it.each([
    ['asks a broker', broker, false],
    ['asks a broker over TLS', secure, { ca }],
  ])('%s', (_, at, ssl) =>
    leavesNothing(async () => {
      const admin = kafkaOver({ ...silent, brokers: [`${at.host}:${at.port}`], ssl }).admin()
      await admin.connect()
      expect(await admin.listTopics()).toEqual(['cats'])
      await admin.disconnect()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { kafkaOver } = await recipe('kafkajs', engine)
    await expectAbortOfConnect(
      (signal) =>
        kafkaOver({ ...hangingKafka(), signal })
          .admin()
          .connect(),
      {
        message: 'Connection error: The operation was aborted',
      },
    )
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(
      () =>
        kafkaOver({ ...hangingKafka(), connectionTimeout: soon })
          .admin()
          .connect(),
      // Of kafkajs's limit and ours, whichever is first.
      { message: expect.stringMatching(/^Connection (timeout|error)/) },
    ))
})

describe('mqtt', () => {
  const broker = use(mqttServer())

  it('is sent what it publishes', () =>
    leavesNothing(async () => {
      const client = mqttOver(broker)
      await client.subscribeAsync('cats')
      client.publish('cats', 'meow')
      const [topic, message] = await once(client, 'message')
      expect([topic, String(message)]).toEqual(['cats', 'meow'])
      await client.endAsync()
    }))

  it.each(engines)('is ended while it connects, %s engine', async (engine) => {
    const { mqttOver } = await recipe('mqtt', engine)
    await expectEndOfConnect(
      () => mqttOver(hanging()),
      'end',
      (client) => client.end(true),
    )
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(() => once(mqttOver({ ...hanging(), connectTimeout: soon, reconnectPeriod: 0 }), 'connect'), {
      message: 'connack timeout',
    }))
})

describe('ssh2', () => {
  const { private: hostKey } = ssh.utils.generateKeyPairSync('ed25519')
  const server = new ssh.Server({ hostKeys: [hostKey] }, (peer) => {
    peer.on('error', () => {}).on('authentication', (asked) => asked.accept())
    peer.on('session', (accept) =>
      accept().on('exec', (accept, _, { command }) => {
        const channel = accept()
        channel.end(`ran ${command}`)
      }),
    )
  })
  const at = use(server)

  it('runs a command', () =>
    leavesNothing(async () => {
      const client = sshOver({ ...at, username: 'test' })
      await once(client, 'ready')
      const channel = await new Promise<NodeJS.ReadableStream>((resolve) =>
        client.exec('ls', (_: unknown, channel: NodeJS.ReadableStream) => resolve(channel)),
      )
      expect(await text(channel)).toBe('ran ls')
      client.end()
      await once(client, 'close')
    }))

  describe.each(engines)('%s engine', (engine) => {
    it('is aborted while it connects', async () => {
      const { sshOver } = await recipe('ssh2', engine)
      await expectAbortOfConnect((signal) => once(sshOver({ ...hanging(), username: 'test', signal }), 'ready'), {
        ...aborted,
        level: 'client-socket',
      })
    })

    it('is destroyed while it connects', async () => {
      const { sshOver } = await recipe('ssh2', engine)
      await expectEndOfConnect(
        () => sshOver({ ...hanging(), username: 'test' }),
        'close',
        (client) => client.destroy(),
      )
    })
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(() => once(sshOver({ ...hanging(), username: 'test', readyTimeout: soon }), 'ready'), {
      level: 'client-timeout',
    }))
})
