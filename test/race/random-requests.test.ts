/** Requests in any number, refused or aborted at any moment: each ends once, no other fails, and nothing is left. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { ConnectionManager } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { connector } from 'cancelpoint/undici'
import { Agent as UndiciAgent } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { held, listenersOn } from '../support/counts.js'
import { randomFrom } from '../support/random.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const seed = Number(process.env.CANCELPOINT_SEED ?? Math.floor(Math.random() * 2 ** 31))
const rounds = process.env.CANCELPOINT_FULL ? 60 : 6
const requestsAtOnce = 40

const targets = useStations()
const managers = new Map<string, ConnectionManager>()
const server = http.createServer((request, response) => response.end(request.url))

beforeAll(async () => {
  for (const engine of engines) managers.set(engine, await warmManager(targets.accept, { engine }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  server.close()
  for (const manager of managers.values()) await manager.close()
})

type Get = (origin: string, path: string, signal: AbortSignal) => Promise<string>
interface Client {
  get: Get
  close(): unknown
}

function httpClient(manager: ConnectionManager, maxSockets: number): Client {
  const agent = new Agent({ manager, keepAlive: true, maxSockets })
  const get: Get = (origin, path, signal) =>
    new Promise((resolve, reject) => {
      const request = http.get(`${origin}${path}`, { agent, signal }, async (response) => {
        try {
          resolve(String((await response.toArray())[0]))
        } catch (error) {
          reject(error)
        }
      })
      request.on('error', reject)
      let closed = 0
      request.on('close', () => expect(++closed).toBe(1))
    })
  return { get, close: () => closeAgent(agent) }
}

/** What it counts is what it has. */
async function closeAgent(agent: http.Agent & { totalSocketCount?: number }) {
  const counted = ({ sockets, freeSockets } = agent) => [sockets, freeSockets].flatMap(Object.values).flat().length
  await expect.poll(() => agent.totalSocketCount === counted()).toBe(true)
  agent.destroy()
  await expect.poll(() => [agent.totalSocketCount, agent.requests]).toEqual([0, {}])
}

function undiciClient(manager: ConnectionManager, connections: number): Client {
  const connect = connector({ manager })
  const agent = new UndiciAgent({ connect, connections })
  const dispatcher = agent.compose(connect.cancelling())
  const get: Get = async (origin, path, signal) =>
    (await dispatcher.request({ origin, path, method: 'GET', signal })).body.text()
  return { get, close: () => agent.destroy() }
}

const each = engines.flatMap((engine) => [
  ['http', engine, httpClient] as const,
  ['undici', engine, undiciClient] as const,
])

it.each(each)(
  `${rounds} rounds of ${requestsAtOnce} requests by %s, %s engine, seed ${seed}`,
  async (_, engine, clientFor) => {
    const random = randomFrom(seed)
    const plain = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    /** Where requests go, and how they end if they are not aborted. Those that hang are aborted. */
    const fates = (path: string): [string, string?][] => [
      [plain, path],
      [plain, path],
      [`http://${targets.refuse}`, 'ECONNREFUSED'],
      [`http://${targets.hang}`],
      [`http://${targets.hang}`],
    ]
    const before = held()
    for (let round = 0; round < rounds; round += 1) {
      const { get, close } = clientFor(managers.get(engine)!, 1 + Math.floor(random() * 6))
      const calls = Array.from({ length: requestsAtOnce }, async (_, index) => {
        const [origin, expected] = fates(`/${index}`)[Math.floor(random() * 5)]!
        const aborted = !expected || random() < 0.3
        const [early, late] = [random() < 0.1, random() * 30]
        const controller = new AbortController()
        const { signal } = controller
        if (early) await wait(random() * 10)
        const call = get(origin, `/${index}`, signal).catch((error) => error)
        if (aborted) setTimeout(() => controller.abort(new Error('mine')), late)
        const end = await call
        const came = end.code ?? end
        if (!aborted) expect(came).toBe(expected)
        else if (came !== expected) expect((end.cause ?? end).message).toBe('mine')
        return signal
      })
      const signals = await Promise.all(calls)
      await expect.poll(() => signals.filter((signal) => listenersOn(signal) > 0)).toEqual([])
      await close()
    }
    await expect.poll(held).toEqual(before)
  },
)
