/** Webhooks told to real receivers on loopback, over connections of cancelpoint. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionManager, ledger } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Webhook, type WebhookOptions } from '#internal/serve/webhook'
import { selfSigned } from '../support/certificate.js'
import { type Held, held } from '../support/counts.js'
import { randomFrom } from '../support/random.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { changeOf, Receiver, secret } from './webhook-support.js'

/** Not a speed limit. */
const soon = { timeout: 10_000 }

const stations = useStations()
const certificate = selfSigned()
let manager: ConnectionManager
let agent: Agent
let idle: Held
let said: string[] = []
let webhook: Webhook

beforeAll(async () => {
  manager = await warmManager(stations.accept)
  agent = new Agent({ manager, ca: certificate.cert })
  // What Node opens for good with its first server and request.
  await using receiver = await new Receiver().open()
  webhook = open(receiver.port)
  webhook.tell(changeOf('warm:1'))
  await webhook.close()
})
beforeEach(async () => {
  await expect.poll(() => ledger().attempts, soon).toBe(0)
  await wait(20)
  idle = held()
  said = []
})
afterEach(async () => {
  await webhook.close()
  await expect.poll(held, soon).toEqual(idle)
})
afterAll(async () => {
  agent.destroy()
  await manager.close()
})

/** As by default, and faster. */
const fast = { gatherMs: 30, baseMs: 20, capMs: 40, timeoutMs: 300, closeMs: 2_000, drainMs: 100 }

function open(port: number, options: Partial<WebhookOptions> & { protocol?: string } = {}): Webhook {
  const { protocol = 'http', limits, ...more } = options
  return new Webhook({
    url: `${protocol}://user:pass%20word@localhost:${port}/hook/in-the-path?token=in-the-query`,
    secret,
    agent,
    say: (line) => said.push(line),
    limits: { ...fast, ...limits },
    ...more,
  })
}

describe('a receiver that answers', () => {
  it('gets the changes of one gathering in one signed message, in order', async () => {
    await using receiver = await new Receiver().open()
    webhook = open(receiver.port)
    for (const name of ['a:1', 'b:1', 'c:1']) webhook.tell(changeOf(name, { labels: { job: name } }))
    await expect.poll(() => receiver.messages, soon).toHaveLength(1)
    const [{ body, headers }] = receiver.messages as [(typeof receiver.messages)[0]]
    const { type, timestamp, data } = JSON.parse(body)
    expect(type).toBe('health.changed')
    expect(new Date(timestamp).getTime()).toBe(data.changes[2].at)
    expect(data).toMatchObject({
      changes: [{ target: 'a:1', labels: { job: 'a:1' }, code: 'ECONNREFUSED' }, {}, {}],
    })
    expect(Object.keys(data)).toEqual(['changes'])
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'cancelpoint' })
    expect(headers.authorization).toBe(`Basic ${Buffer.from('user:pass word').toString('base64')}`)
    webhook.tell(changeOf('d:1'))
    await webhook.close()
    expect(receiver.changes).toEqual(['a:1', 'b:1', 'c:1', 'd:1'])
    expect(webhook.stats()).toEqual({
      messages: 2,
      changes: 4,
      waiting: 0,
      lost: 0,
      merged: 0,
      retries: 0,
      isFailing: false,
    })
    expect(said).toEqual([])
  })

  it('gets one message at a time, in order, of as many changes as one takes', async () => {
    await using receiver = await new Receiver(async (_, response) => {
      await wait(20)
      response.end()
    }).open()
    webhook = open(receiver.port, { limits: { changesAMessage: 10 } })
    const names = Array.from({ length: 55 }, (_, index) => `t${index}:1`)
    for (const name of names) webhook.tell(changeOf(name))
    await webhook.close()
    expect(receiver.changes).toEqual(names)
    expect(receiver.messages).toHaveLength(6)
    expect(receiver.mostAtOnce).toBe(1)
  })

  it('gets them over TLS, and one whose certificate is not trusted gets nothing', async () => {
    await using receiver = await new Receiver(undefined, certificate).open()
    webhook = open(receiver.port, { protocol: 'https' })
    webhook.tell(changeOf('a:1'))
    await webhook.close()
    expect(receiver.changes).toEqual(['a:1'])
    const distrusting = new Agent({ manager })
    webhook = open(receiver.port, { protocol: 'https', agent: distrusting, limits: { closeMs: 100 } })
    webhook.tell(changeOf('b:1'))
    await webhook.close()
    expect(receiver.changes).toEqual(['a:1'])
    expect(said[0]).toMatch(/^webhook https:\/\/localhost:\d+: .*self-signed.*; it is tried again$/)
    expect(said.at(-1)).toMatch(/: 1 change was lost: the receiver did not take them before the end$/)
  })

  it.each<[string, (response: ServerResponse) => void]>([
    [
      'an endless body',
      (response) => {
        const chunk = Buffer.alloc(16_384)
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        }
        response.on('drain', more)
        more()
      },
    ],
    ['a body that never ends', (response) => void response.write('still')],
  ])('has answered by its status: %s is cut off', async (_, respond) => {
    await using receiver = await new Receiver((_, response) => respond(response)).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().messages, soon).toBe(1)
    webhook.tell(changeOf('b:1'))
    await expect.poll(() => webhook.stats().messages, soon).toBe(2)
    expect(receiver.messages).toHaveLength(2)
    expect(said).toEqual([])
  })
})

describe('a receiver that fails at first', () => {
  const fails: [string, ConstructorParameters<typeof Receiver>[0], RegExp][] = [
    ['500', (_, response) => response.writeHead(500).end(), /it answered with status 500; it is tried again/],
    ['408', (_, response) => response.writeHead(408).end(), /it answered with status 408; it is tried again/],
    ['a reset', (request) => request.socket.resetAndDestroy(), /ECONNRESET: .*; it is tried again/],
    ['silence', () => {}, /there was no answer within 300 ms; it is tried again/],
    ['half a status line', (request) => request.socket.write('HTTP/1.1 20'), /no answer within 300 ms/],
    ['no HTTP', (request) => request.socket.end('what?\r\n\r\n'), /HPE_\w+: .*; it is tried again/],
  ]

  it.each(fails)('%s is tried again: the same id and body, a signature of the time', async (_, failing, words) => {
    await using receiver = await new Receiver((request, response, count) =>
      count < 4 ? failing!(request, response, count) : response.end(),
    ).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => said.length, soon).toBeGreaterThan(0)
    webhook.tell(changeOf('b:1'))
    await expect.poll(() => webhook.stats().messages, soon).toBe(2)
    const first = receiver.messages.slice(0, 4)
    expect(new Set(first.map(({ id, body }) => id + body)).size).toBe(1)
    expect(receiver.changes).toEqual(['a:1', 'b:1'])
    expect(webhook.stats()).toMatchObject({ retries: 3, lost: 0, isFailing: false })
    expect(said).toHaveLength(2)
    expect(said[0]).toMatch(words)
    expect(said[1]).toMatch(/it works again, after 3 failed tries$/)
  })

  it('nobody listens, and later somebody does', async () => {
    const receiver = await new Receiver().open()
    const { port } = receiver
    await receiver[Symbol.asyncDispose]()
    webhook = open(port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().retries, soon).toBeGreaterThan(2)
    expect(webhook.stats()).toMatchObject({ isFailing: true, waiting: 1 })
    expect(said[0]).toMatch(/ECONNREFUSED .*nothing listens there.*; it is tried again$/)
    await using later = await new Receiver().open(port)
    await expect.poll(() => webhook.stats().messages, soon).toBe(1)
    expect(later.changes).toEqual(['a:1'])
  })

  it('429 with Retry-After is left alone for so long, also where more comes', async () => {
    await using receiver = await new Receiver((_, response, count) =>
      count === 1 ? response.writeHead(429, { 'retry-after': '1' }).end() : response.end(),
    ).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => receiver.messages, soon).toHaveLength(1)
    webhook.tell(changeOf('b:1'))
    await expect.poll(() => webhook.stats().messages, soon).toBe(2)
    const [first, second] = receiver.messages
    expect(second!.at - first!.at).toBeGreaterThan(950)
  })
})

describe('a receiver that does not want it', () => {
  it.each([301, 400, 401, 404, 422])('%i is given up and told; the next message is sent', async (status) => {
    await using receiver = await new Receiver((_, response, count) =>
      count === 1 ? response.writeHead(status, { location: '/secret-place' }).end() : response.end(),
    ).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().lost, soon).toBe(1)
    webhook.tell(changeOf('b:1'))
    await expect.poll(() => webhook.stats().messages, soon).toBe(1)
    expect(receiver.messages).toHaveLength(2)
    expect(receiver.messages[1]!.data).toMatchObject({ lost: 1, changes: [{ target: 'b:1' }] })
    expect(said[0]).toMatch(new RegExp(`: 1 change was lost: it answered with status ${status}`))
    expect(said.join()).not.toContain('secret-place')
  })

  it('410 ends it', async () => {
    await using receiver = await new Receiver((_, response) => response.writeHead(410).end()).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().lost, soon).toBe(1)
    for (let each = 0; each < 10; each += 1) webhook.tell(changeOf(`b${each}:1`))
    await webhook.close()
    expect(receiver.messages).toHaveLength(1)
    expect(webhook.stats()).toMatchObject({ lost: 11, waiting: 0 })
    expect(said.at(-1)).toMatch(/10 changes were lost/)
  })
})

describe('what waits', () => {
  it('is bounded, and what is lost is counted, said and told to the receiver', async () => {
    const receiver = await new Receiver().open()
    const { port } = receiver
    await receiver[Symbol.asyncDispose]()
    webhook = open(port, { limits: { changesAtMost: 20 } })
    webhook.tell(changeOf('first:1'))
    await expect.poll(() => webhook.stats().isFailing, soon).toBe(true)
    for (let each = 0; each < 100; each += 1) webhook.tell(changeOf(`t${each}:1`))
    expect(webhook.stats()).toMatchObject({ waiting: 21, lost: 80 })
    expect(said.filter((line) => line.includes('lost'))).toHaveLength(1)
    await using later = await new Receiver().open(port)
    await expect.poll(() => webhook.stats().messages, soon).toBe(2)
    await webhook.close()
    expect(later.changes).toEqual(['first:1', ...Array.from({ length: 20 }, (_, each) => `t${80 + each}:1`)])
    expect(later.messages[1]!.data.lost).toBe(80)
    const counts = said.join().matchAll(/(\d+) changes? (?:was|were) lost: too many/g)
    expect([...counts].reduce((sum, [, count]) => sum + Number(count), 0)).toBe(80)
  })

  it('of a target that flaps is merged', async () => {
    const receiver = await new Receiver().open()
    const { port } = receiver
    await receiver[Symbol.asyncDispose]()
    webhook = open(port, { limits: { changesAtMost: 4 } })
    webhook.tell(changeOf('first:1'))
    await expect.poll(() => webhook.stats().isFailing, soon).toBe(true)
    for (let each = 0; each < 9; each += 1) {
      const [from, to] = each % 2 ? (['down', 'up'] as const) : (['up', 'down'] as const)
      webhook.tell(changeOf('flaps:1', { from, to }))
    }
    await using later = await new Receiver().open(port)
    await webhook.close()
    const { changes, merged } = later.messages.at(-1)!.data
    expect(changes.at(-1)).toMatchObject({ target: 'flaps:1', to: 'down' })
    expect(merged).toBe(9 - changes.length)
    expect(webhook.stats().lost).toBe(0)
  })
})

describe('a close', () => {
  it('sends what waits, and does so once', async () => {
    await using receiver = await new Receiver().open()
    webhook = open(receiver.port, { limits: { gatherMs: 60_000 } })
    webhook.tell(changeOf('a:1'))
    await Promise.all([webhook.close(), webhook.close()])
    expect(receiver.changes).toEqual(['a:1'])
    webhook.tell(changeOf('b:1'))
    expect(webhook.stats()).toMatchObject({ lost: 1, changes: 1 })
    expect(said).toEqual([expect.stringMatching(/1 change was lost: it is closed$/)])
  })

  it('cuts a pause short', async () => {
    await using receiver = await new Receiver((_, response, count) =>
      response.writeHead(count === 1 ? 503 : 200).end(),
    ).open()
    webhook = open(receiver.port, { limits: { baseMs: 3_600_000, capMs: 3_600_000, closeStepMs: 10 } })
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().isFailing, soon).toBe(true)
    await webhook.close()
    expect(webhook.stats()).toMatchObject({ messages: 1, lost: 0 })
  })

  it('sends nothing before Retry-After is over', async () => {
    await using receiver = await new Receiver((_, response) =>
      response.writeHead(429, { 'retry-after': '60' }).end(),
    ).open()
    webhook = open(receiver.port)
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => webhook.stats().isFailing, soon).toBe(true)
    webhook.tell(changeOf('b:1'))
    await webhook.close()
    expect(receiver.messages).toHaveLength(1)
    expect(said.at(-1)).toMatch(/2 changes were lost: the receiver did not take them before the end/)
  })

  it('gives up a receiver that hangs, and says how much that was', async () => {
    await using receiver = await new Receiver(() => {}).open()
    webhook = open(receiver.port, { limits: { timeoutMs: 60_000, closeMs: 100, changesAMessage: 2 } })
    for (const name of ['a:1', 'b:1', 'c:1']) webhook.tell(changeOf(name))
    await expect.poll(() => receiver.messages, soon).toHaveLength(1)
    await webhook.close()
    expect(webhook.stats()).toMatchObject({ waiting: 0, lost: 3 })
    expect(said).toEqual([expect.stringMatching(/3 changes were lost: the receiver did not take them before the end/)])
  })

  it('cancels a connect that hangs, and everything of it is released by then', async () => {
    const before = held()
    webhook = open(Number(stations.hang.split(':')[1]), {
      url: `http://${stations.hang}/`,
      limits: { timeoutMs: 60_000, closeMs: 100 },
    })
    webhook.tell(changeOf('a:1'))
    await expect.poll(() => ledger().attempts, soon).toBe(1)
    await webhook.close()
    expect(held()).toEqual(before)
  })
})

it('a receiver that fails at random gets every change once, in order', async () => {
  const random = randomFrom(Number(process.env.CANCELPOINT_SEED ?? 7))
  const failing: ((request: IncomingMessage, response: ServerResponse) => unknown)[] = [
    (_, response) => response.writeHead(500).end(),
    (_, response) => response.writeHead(429, { 'retry-after': '0' }).end('later'),
    (_, response) => response.writeHead(503, { 'content-length': '1000' }).write('half'),
    (request) => request.socket.resetAndDestroy(),
    (request) => request.socket.destroy(),
    () => {},
  ]
  await using receiver = await new Receiver(async (request, response) => {
    if (random() < 0.5) return response.end()
    if (random() < 0.2) await wait(20)
    return failing[Math.floor(random() * failing.length)]!(request, response)
  }).open()
  webhook = open(receiver.port, {
    limits: { gatherMs: 5, baseMs: 2, capMs: 4, timeoutMs: 50, drainMs: 10, changesAMessage: 7 },
  })
  const names = Array.from({ length: 300 }, (_, index) => `t${index}:1`)
  for (const [index, name] of names.entries()) {
    webhook.tell(changeOf(name))
    if (index % 10 === 0) await wait(3)
  }
  await expect.poll(() => webhook.stats().changes, { timeout: 25_000 }).toBe(names.length)
  expect(receiver.changes).toEqual(names)
  expect(receiver.mostAtOnce).toBeLessThanOrEqual(2)
  expect(webhook.stats()).toMatchObject({ lost: 0, merged: 0, waiting: 0 })
})

it('a receiver that hangs in connect, is slow to accept or resets delays nobody but itself', async () => {
  webhook = open(0, { url: `http://${stations.hang}/`, limits: { closeMs: 50, timeoutMs: 50 } })
  for (let each = 0; each < 1_000; each += 1) webhook.tell(changeOf(`t${each}:1`))
  await expect.poll(() => webhook.stats().retries, soon).toBeGreaterThan(1)
  expect(webhook.stats()).toMatchObject({ waiting: 1_000, lost: 0 })
})

it('what it says has neither the secret in it nor more of the URL than its origin', async () => {
  const silent = net.createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('nonsense'),
  )
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as AddressInfo
  webhook = open(port, { limits: { closeMs: 200 } })
  webhook.tell(changeOf('a:1'))
  await webhook.close()
  silent.close()
  await once(silent, 'close')
  expect(said.length).toBeGreaterThan(1)
  for (const part of ['user', 'pass', 'in-the-path', 'in-the-query', secret, secret.slice(6)])
    expect(said.join()).not.toContain(part)
  for (const line of said) expect(line).toMatch(new RegExp(`^webhook http://localhost:${port}: `))
})

it.each<[string, string, string]>([
  ['nonsense', secret, "the webhook's URL cannot be read: expected one such as https://"],
  ['ftp://host/', secret, "the webhook's URL is of ftp"],
  ['http://user:%zz@host/token', secret, 'a bad % in it'],
  ['http://host/', 'short', "the webhook's secret is not in base64"],
])('%j with that secret is refused', (url, text, words) => {
  expect(() => new Webhook({ url, secret: text })).toThrow(words)
})
