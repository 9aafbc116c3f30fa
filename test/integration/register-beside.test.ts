/** cancelpoint/register beside what connects by cancelpoint already, and beside what Node tells of connects. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { Agent } from 'cancelpoint/http'
import { createConnection } from 'cancelpoint/net'
import { connector } from 'cancelpoint/undici'
import { Client } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const server = http.createServer((_, response) => response.end('answered'))
const port = () => (server.address() as AddressInfo).port
const attempts: unknown[] = []
const onAttempt = (message: unknown) => attempts.push(message)
let unregister: () => void = () => {}

const lookup = ((_name: string, options: { all?: boolean }, done: (...told: unknown[]) => void) =>
  setImmediate(done, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)) as net.LookupFunction

async function connected(socket: net.Socket) {
  await once(socket, 'connect')
  socket.destroy()
  await once(socket, 'close')
}

async function answered(request: http.ClientRequest) {
  const [response] = await once(request, 'response')
  response.resume()
  await once(request, 'close')
}

/** What perf_hooks tells of a connect. */
async function entriesOf(connect: () => Promise<void>): Promise<unknown[]> {
  const entries: PerformanceEntry[] = []
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()))
  observer.observe({ entryTypes: ['net' as never] })
  await connect()
  await new Promise((resolve) => setTimeout(resolve, 20))
  observer.disconnect()
  return entries.map((entry) => {
    const { name, entryType, detail, duration, startTime } = entry as PerformanceEntry & { detail: unknown }
    return { name, entryType, detail, lasted: duration >= 0 && startTime > 0 }
  })
}

const place = () => ({ host: 'name.test', port: port(), lookup })
const byName = () => entriesOf(() => connected(net.connect(place())))
const byAddress = () => entriesOf(() => connected(net.connect({ host: '127.0.0.1', port: port() })))
let byNode: { name: unknown; address: unknown }

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  byNode = { name: await byName(), address: await byAddress() }
  ;({ unregister } = await import('cancelpoint/register'))
  subscribe('cancelpoint:attempt:start', onAttempt)
})
afterAll(() => {
  unsubscribe('cancelpoint:attempt:start', onAttempt)
  unregister()
  server.close()
})

describe('connects once, by a name and by an address', () => {
  it.each<[string, (host: string) => Promise<unknown>]>([
    ['net.connect', (host) => connected(net.connect({ ...place(), host }))],
    ['createConnection', (host) => connected(createConnection({ ...place(), host }))],
    ['createConnection of a target', (host) => connected(createConnection(`${host}:${port()}`, { lookup }))],
    ['the Agent', (host) => answered(http.get({ ...place(), host, agent: new Agent() }))],
    ['Node’s agent', (host) => answered(http.get({ ...place(), host, agent: new http.Agent() }))],
    [
      'the connector',
      async (host) => {
        const client = new Client(`http://${host}:${port()}`, { connect: connector({ lookup }) })
        await (await client.request({ path: '/', method: 'GET' })).body.dump()
        await client.close()
      },
    ],
  ])('%s', async (_, connect) => {
    for (const host of ['name.test', '127.0.0.1']) {
      attempts.length = 0
      await connect(host)
      expect(attempts).toHaveLength(1)
    }
  })
})

describe('perf_hooks tells as much of a connect as with Node', () => {
  it('to an address', async () => {
    expect(await byAddress()).toEqual(byNode.address)
  })

  it('to a name', async () => {
    expect(await byName()).toEqual(byNode.name)
  })
})
