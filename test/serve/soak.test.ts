/**
 * A watch as people leave it running: targets flap at random, the list is replaced every second, the webhook's receiver fails, the
 * metrics are scraped. Afterwards nothing has grown. Ten minutes by `npm run test:full`, some seconds otherwise.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net, { type AddressInfo, type Server } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ledger } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { expect, it } from 'vitest'
import { startServer } from '#internal/serve/server'
import { Webhook } from '#internal/serve/webhook'
import { openDescriptors, threads } from '../support/counts.js'
import { randomFrom } from '../support/random.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { Receiver, secret } from './webhook-support.js'

const stations = useStations()
const seconds = process.env.CANCELPOINT_FULL ? 600 : 12
const [targetCount, flapping] = [400, 20]
const mebibyte = 1_048_576

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const residentBytes = (): number => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4_096
const listeners = (): number =>
  ['SIGHUP', 'exit', 'warning'].reduce((sum, name) => sum + process.listenerCount(name), 0)

/** A listener that comes and goes at one port. */
class Flapper {
  #server: Server | undefined
  port = 0

  async flap(): Promise<void> {
    if (this.#server) {
      this.#server.close()
      this.#server = undefined
      return
    }
    this.#server = net.createServer((socket) => socket.on('error', () => {}).resume())
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server?.close()
  }
}

it(
  `memory, descriptors, threads and listeners are flat over ${seconds} seconds`,
  async () => {
    const manager = await warmManager(stations.accept, { engine: 'nonblocking' })
    const flappers = Array.from({ length: flapping }, () => new Flapper())
    for (const flapper of flappers) await flapper.flap()
    const before = { open: openDescriptors(), listeners: listeners() }
    const roll = randomFrom(1)
    await using receiver = await new Receiver((_, response) => {
      const luck = roll()
      if (luck < 0.3) response.destroy()
      else response.writeHead(luck < 0.6 ? 503 : 200).end()
    }).open()
    const agent = new Agent({ manager, keepAlive: true })
    // Its receiver takes too little of it: what waits fills up in the first third.
    const webhook = new Webhook({
      url: `http://127.0.0.1:${receiver.port}/`,
      secret,
      agent,
      limits: { changesAtMost: 500 },
    })
    const kinds = [stations.accept, stations.accept, stations.refuse, stations.hang].map(
      (target) => target.split(':')[1],
    )
    /** Another part of the fleet each second; the flappers always. */
    const list = (round: number) => [
      ...flappers.map(({ port }) => ({ target: `127.0.0.1:${port}`, labels: { kind: 'flapping' } })),
      ...Array.from(
        { length: targetCount },
        (_, i) => `127.1.${((round + i) >> 8) & 255}.${1 + ((round + i) & 127)}:${kinds[i % 4]}`,
      ),
    ]
    const watch = manager.watch(list(0), { intervalMs: 500, timeoutMs: 300, rise: 1, fall: 1 })
    const server = await startServer({ watch, manager, version: 'test' })
    let changes = 0
    const taking = (async () => {
      for await (const change of watch) {
        changes += 1
        webhook.tell(change)
        server.tell(change)
      }
    })()

    const samples: { memory: number; open: number; threads: number }[] = []
    for (let round = 1; round <= seconds; round++) {
      await wait(1_000)
      for (const flapper of flappers) if (roll() < 0.2) await flapper.flap()
      watch.replace(list(round))
      const text = await (await fetch(`${server.url}metrics`, { headers: { connection: 'close' } })).text()
      expect(text).toContain('cancelpoint_targets{state="up"}')
      receiver.messages.length = 0
      collect()
      samples.push({ memory: residentBytes(), open: openDescriptors(), threads: threads() })
    }
    expect(watch.summary().lostChanges).toBe(0)
    expect(changes).toBeGreaterThan(flapping)
    // What fills up once has done so after the first third.
    const settled = samples.slice(Math.floor(samples.length / 3))
    const half = Math.floor(settled.length / 2)
    const most = (some: typeof samples, key: keyof (typeof samples)[number]) =>
      Math.max(...some.map((each) => each[key]))
    expect(most(settled.slice(half), 'memory')).toBeLessThan(most(settled.slice(0, half), 'memory') + 16 * mebibyte)
    expect(most(settled, 'threads')).toBe(Math.min(...settled.map((each) => each.threads)))
    expect(most(settled.slice(half), 'open')).toBeLessThan(most(settled.slice(0, half), 'open') + 150)

    await watch[Symbol.asyncDispose]()
    await taking
    await server.close()
    await webhook.close()
    agent.destroy()
    expect(ledger()).toMatchObject({ descriptors: 0, attempts: 0 })
    await receiver[Symbol.asyncDispose]()
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before.open)
    expect(listeners()).toBe(before.listeners)
    await manager.close()
    for (const flapper of flappers) flapper.close()
  },
  (seconds + 60) * 1_000,
)
