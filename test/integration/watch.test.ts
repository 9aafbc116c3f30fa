/** Watching real listeners: what changes, what does not, and that nothing is left. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { ConnectionManager, HealthChange, Watch, WatchOptions, WatchTarget } from 'cancelpoint'
import { ledger } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { held, nothingLeft } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const stations = useStations()

/** A listener that can go away and come back at the same port. */
class Service {
  #server = net.createServer()
  port = 0

  async up(): Promise<void> {
    this.#server = net.createServer((socket) => socket.on('error', () => {}).resume())
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  async down(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  get target(): string {
    return `127.0.0.1:${this.port}`
  }
}

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  const service = new Service()
  beforeAll(async () => {
    manager = await warmManager(stations.accept, { engine })
  })
  afterAll(() => manager.close())

  const fast = { intervalMs: 40, jitter: 0 }

  /** The changes, until `enough` of them have come. */
  async function changesOf(watch: Watch, enough: number, onChange: (change: HealthChange) => unknown = () => {}) {
    const changes: HealthChange[] = []
    for await (const change of watch) {
      changes.push(change)
      await onChange(change)
      if (changes.length === enough) break
    }
    return changes
  }

  it('a target goes down and comes back: each change once, after fall and rise results', async () => {
    const before = held()
    await service.up()
    const labels = { job: 'api' }
    const watch = manager.watch([{ target: service.target, labels }], { ...fast, rise: 2, fall: 3 })
    const changes = await changesOf(watch, 3, async ({ to, from }) => {
      if (to === 'up' && from === 'unknown') await service.down()
      if (to === 'down') await service.up()
    })
    expect(changes.map(({ from, to, results }) => [from, to, results])).toEqual([
      ['unknown', 'up', 1],
      ['up', 'down', 3],
      ['down', 'up', 2],
    ])
    const [first, second] = changes as [HealthChange, HealthChange]
    expect(second).toMatchObject({ target: service.target, labels, last: { code: 'ECONNREFUSED', labels } })
    expect(second.since).toBe(first.at)
    expect(second.at).toBeGreaterThanOrEqual(first.at)
    await service.down()
    await expect.poll(held).toEqual(before)
  })

  it('health() and summary() tell what is known, in the order of the list', async () => {
    const list = [stations.accept, { target: stations.refuse, labels: { a: 'b' } }, stations.accept]
    const watch = manager.watch(list, fast)
    expect(watch.summary()).toMatchObject({ up: 0, down: 0, unknown: 2, frozen: false, lostChanges: 0 })
    await expect.poll(() => watch.summary()).toMatchObject({ up: 1, down: 1, unknown: 0 })
    const [up, down] = [...watch.health()]
    expect(up).toMatchObject({ target: stations.accept, state: 'up', last: { status: 'up' }, skipped: 0 })
    expect(down).toMatchObject({ target: stations.refuse, labels: { a: 'b' }, state: 'down' })
    expect(up!.inARow).toBeGreaterThan(0)
    await watch[Symbol.asyncDispose]()
    expect(ledger()).toMatchObject({ descriptors: 0, attempts: 0 })
  })

  it('a target that hangs is skipped while its check is under way, and never doubled', async () => {
    const watch = manager.watch([stations.hang], { ...fast, timeoutMs: 300 })
    const [change] = await changesOf(watch, 1)
    expect(change).toMatchObject({ from: 'unknown', to: 'down', last: { code: 'ETIMEDOUT', attempts: 1 } })
    const [health] = [...watch.health()]
    expect(health!.skipped).toBeGreaterThan(2)
  })

  it('replace keeps what is known of those that stay, and a bad list changes nothing', async () => {
    const watch = manager.watch([stations.accept, stations.refuse], fast)
    await expect.poll(() => watch.summary()).toMatchObject({ up: 1, down: 1 })
    const [since] = [...watch.health()].map((each) => each.since)
    watch.replace([{ target: stations.accept, intervalMs: 50 } as WatchTarget, '127.0.0.1:1'])
    expect([...watch.health()].map(({ target, state }) => [target, state])).toEqual([
      [stations.accept, 'up'],
      ['127.0.0.1:1', 'unknown'],
    ])
    expect([...watch.health()][0]!.since).toBe(since)
    for (const bad of [
      ['nonsense'],
      [{ target: stations.accept, intervalMS: 1 }],
      [{ target: stations.accept, steps: [{}] }],
    ]) {
      expect(() => watch.replace(bad as string[])).toThrow()
    }
    expect([...watch.health()]).toHaveLength(2)
    await expect.poll(() => watch.summary()).toMatchObject({ up: 1, down: 1, unknown: 0 })
    watch.replace([])
    expect(watch.summary()).toMatchObject({ up: 0, down: 0, unknown: 0 })
    await watch[Symbol.asyncDispose]()
    expect(() => watch.replace([])).toThrow('the watch has ended')
  })

  it('states of an earlier watch hold until results in a row say otherwise', async () => {
    const states = [{ target: stations.refuse, state: 'up' as const, since: 5 }]
    const watch = manager.watch([stations.refuse], { ...fast, states })
    expect([...watch.health()]).toMatchObject([{ state: 'up', since: 5 }])
    const [change] = await changesOf(watch, 1)
    expect(change).toMatchObject({ from: 'up', to: 'down', since: 5, results: 3 })
  })

  it('while no canary is up, nothing is called down', async () => {
    await service.up()
    const { target } = service
    await service.down()
    const watch = manager.watch([stations.refuse, stations.accept], { ...fast, canaries: [target], fall: 1 })
    await expect.poll(() => [...watch.health()].every(({ last }) => last !== undefined)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(watch.summary()).toMatchObject({ up: 1, down: 0, unknown: 1 })
    await service.up()
    await expect.poll(() => watch.summary()).toMatchObject({ up: 1, down: 1, unknown: 0 })
    await watch[Symbol.asyncDispose]()
    await service.down()
  })

  it('is frozen while the loop was blocked, and calls nothing down for it', async () => {
    const watch = manager.watch([stations.accept, stations.hang], { ...fast, timeoutMs: 200, fall: 1 })
    await expect.poll(() => watch.summary()).toMatchObject({ up: 1, down: 1 })
    const changes: HealthChange[] = []
    const taking = (async () => {
      for await (const change of watch) changes.push(change)
    })()
    const until = performance.now() + 700
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(watch.summary()).toMatchObject({ up: 1, down: 1, frozen: true })
    expect(watch.summary().frozenWhy).toMatch(/blocked or stopped|start late/)
    await watch[Symbol.asyncDispose]()
    await taking
    expect(changes.map(({ to }) => to).sort()).toEqual(['down', 'up'])
  })

  it.each<[string, (watch: Watch, controller: AbortController) => unknown, boolean]>([
    ['its signal', (_, controller) => controller.abort(new Error('enough')), true],
    ['its own end', (watch) => watch[Symbol.asyncDispose](), false],
  ])('%s ends it, once nothing is under way', async (_, end, throws) => {
    const before = held()
    const controller = new AbortController()
    const { signal } = controller
    const watch = manager.watch([stations.hang, stations.accept], { ...fast, signal, intervalMs: 10 })
    const taking = (async () => {
      for await (const { target } of watch) if (target === '') break
    })()
    await expect.poll(() => ledger().attempts).toBeGreaterThan(0)
    void end(watch, controller)
    if (throws) await expect(taking).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'enough' } })
    else await taking
    expect(ledger()).toMatchObject({ descriptors: 0, attempts: 0 })
    await expect.poll(held).toEqual(before)
    await watch[Symbol.asyncDispose]()
  })
})

it('the manager’s close ends it', async () => {
  const manager = await warmManager(stations.accept)
  const watch = manager.watch([stations.hang], { intervalMs: 10 })
  const taking = (async () => {
    for await (const _ of watch);
  })()
  await expect.poll(() => ledger().attempts).toBeGreaterThan(0)
  const closed = manager.close()
  await expect(taking).rejects.toMatchObject({ name: 'AbortError' })
  await closed
  expect(ledger()).toEqual(nothingLeft)
  expect(() => manager.watch([])).toThrow('closed')
})

it.each<[WatchOptions | object, string]>([
  [{ intervalMs: 0 }, 'intervalMs is 0: expected milliseconds from 1'],
  [{ rise: 0 }, 'rise is 0: expected a whole number from 1'],
  [{ jitter: 0.6 }, 'jitter is 0.6: expected a share from 0 to 0.5'],
  [{ allAddresses: true }, 'a watched target has one health'],
  [{ interval: 5 }, "options has 'interval'"],
])('%o is refused', async (options, words) => {
  const manager = await warmManager(stations.accept)
  expect(() => manager.watch([stations.accept], options)).toThrow(words)
  await manager.close()
})
