/** This process is late: its loop is blocked, or it is stopped. That is never told as the target's fault. */
import { once } from 'node:events'
import tls from 'node:tls'
import type { CheckOptions, CheckResult, ConnectionManager, Target } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())

  /** All results, with the loop blocked at the first of them. */
  async function resultsWhileBlocked(list: readonly Target[], options: CheckOptions): Promise<CheckResult[]> {
    const results: CheckResult[] = []
    for await (const result of manager.check(list, options)) {
      if (results.length === 0) block(700)
      results.push(result)
    }
    return results
  }

  const notUp = (results: readonly CheckResult[]) => results.filter(({ status }) => status !== 'up')
  const many = (count: number, target: (i: number) => string) => Array.from({ length: count }, (_, i) => target(i))

  it.each<[string, (i: number) => string, CheckOptions]>([
    ['names', (i) => `n${i}.test`, { lookup: async () => ['127.0.0.1'] }],
    ['names that take a moment', (i) => `n${i}.test`, { lookup: () => soon(['127.0.0.1']) }],
    ['names of localhost', (i) => `n${i}.localhost`, {}],
    ['numeric targets with retries', () => '127.0.0.1', { retry: { tries: 2 } }],
  ])('%s are up, though the consumer is busy for longer than they may take', async (_, host, options) => {
    const before = held()
    const list = many(200, (i) => `${host(i)}:${portOf(targets.accept)}`)
    const results = await resultsWhileBlocked(list, { ...options, timeoutMs: 500 })
    expect(results).toHaveLength(200)
    expect(notUp(results)).toEqual([])
    expect(held()).toEqual(before)
  })

  it('a target that hangs is down all the same, after its own time', async () => {
    const list = [`up.test:${portOf(targets.accept)}`, `hung.test:${portOf(targets.hang)}`]
    const lookup = async () => ['127.0.0.1']
    const results = await resultsWhileBlocked(list, { lookup, timeoutMs: 300, retry: { tries: 1 } })
    expect(results).toMatchObject([{ status: 'up' }, { status: 'down', code: 'ETIMEDOUT', errnoClass: 'timed-out' }])
  })

  describe('TLS', () => {
    const certificate = selfSigned()
    const server = tls.createServer({ ...certificate, ALPNProtocols: ['http/1.1'] })
    let port: number
    beforeAll(async () => {
      server.on('tlsClientError', () => {}).on('secureConnection', (socket) => socket.on('error', () => {}).resume())
      await once(server.listen(0, '127.0.0.1'), 'listening')
      port = (server.address() as { port: number }).port
    })
    afterAll(() => server.close())

    it('is up after a block in the middle of many handshakes', async () => {
      // The server is blocked as well, being of this process: what it answers late is held up here.
      const list = many(60, () => `127.0.0.1:${port}`)
      const results = await resultsWhileBlocked(list, { tls: { rejectUnauthorized: false }, timeoutMs: 500 })
      expect(notUp(results)).toEqual([])
      for (const { tlsMs } of results) expect(tlsMs).toBeGreaterThan(0)
    })

    it('of a connect() is waited for, though the loop was blocked beyond its deadline', async () => {
      const connecting = manager.connect(`127.0.0.1:${port}`, { tls: { rejectUnauthorized: false }, timeoutMs: 200 })
      block(500)
      const socket = await connecting
      socket.destroy()
      await once(socket, 'close')
    })
  })
})

function soon<T>(value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), 50))
}
