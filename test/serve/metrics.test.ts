/** /metrics: what it tells, that it takes many turns of the loop, and that slow and gone scrapers hold nothing. */
import { spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { metricsOf, type Scrape } from '#internal/serve/metrics'
import { type Drain, pour } from '#internal/serve/pour'
import { Record } from '#internal/serve/record'
import { targetsOf } from '#internal/serve/targets'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { dial, get, never, serving, steadyHeld } from './serving.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept, { engine: 'nonblocking' })
})
afterAll(() => manager.close())

const hasPromtool = spawnSync('promtool', ['--version']).status === 0
const openMetrics = { headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' } }
const hostile = {
  job: 'a"b\\c\nd',
  'app.kubernetes.io/name': '\u202e\ud800\0',
  __name__: 'x',
  le: '1',
  quantile: '2',
  state: 'mine',
  instance: 'i',
  '': 'no name',
  ключ: 'ä 漢字',
}
const { rowsPerSlice, scrapesAtMost } = limits.serve

const linesFor = (body: string, name: string) => body.split('\n').filter((line) => line.startsWith(name))

it('tells of each target and of all, and leaves nothing open', async () => {
  await get(await serving(manager, []), '/metrics')
  const before = await steadyHeld()
  {
    await using at = await serving(manager, [stations.accept, { target: stations.refuse, labels: { env: 'prod' } }], {
      watch: { intervalMs: 50 },
    })
    await expect.poll(() => at.watch.summary()).toMatchObject({ up: 1, down: 1 })
    const { status, headers, body } = await get(at, '/metrics')
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    const [up, down] = [`target="${stations.accept}"`, `target="${stations.refuse}",env="prod"`]
    for (const line of [
      `cancelpoint_target_state{${up},state="up"} 1`,
      `cancelpoint_target_state{${down},state="down"} 1`,
      `cancelpoint_target_state{${down},state="up"} 0`,
      `probe_success{${up}} 1`,
      `probe_success{${down}} 0`,
      `probe_ip_protocol{${up}} 4`,
      `cancelpoint_probe_failure_info{${down},code="ECONNREFUSED",errno_class="refused",phase="connect"} 1`,
      'cancelpoint_targets{state="up"} 1',
      'cancelpoint_targets_without_series 0',
      'cancelpoint_changes_total{to="down"} 1',
    ])
      expect(body.split('\n')).toContain(line)
    for (const name of ['process_open_fds ', 'process_resident_memory_bytes ', 'nodejs_eventloop_lag_p99_seconds '])
      expect(Number(linesFor(body, name)[0]!.split(' ')[1])).toBeGreaterThanOrEqual(0)
    for (const name of [
      'cancelpoint_frozen ',
      'cancelpoint_lateness_seconds{quantile="0.99"}',
      'cancelpoint_checks_total{status="up"}',
    ])
      expect(linesFor(body, name)).toHaveLength(1)
    expect((await get(at, '/metrics', { method: 'HEAD' })).body).toBe('')
  }
  await expect.poll(held).toEqual(before)
})

it('OpenMetrics where the scraper asks for it', async () => {
  const at = await serving(manager, [{ target: '127.0.0.1:1', labels: hostile }])
  const { headers, body } = await get(at, '/metrics', openMetrics)
  expect(headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(body.endsWith('# EOF\n')).toBe(true)
  expect(body).toContain('# TYPE cancelpoint_checks counter\ncancelpoint_checks_total{')
})

it.skipIf(!hasPromtool)('promtool finds nothing to say of it (Debian package prometheus)', async () => {
  const targets = [
    { target: stations.refuse, labels: hostile },
    { target: stations.accept, labels: hostile },
    stations.accept,
  ]
  const at = await serving(manager, targets, { watch: { intervalMs: 50 } })
  await expect.poll(() => at.watch.summary()).toMatchObject({ up: 2, down: 1 })
  const { body } = await get(at, '/metrics')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
  expect([status, stdout, stderr]).toEqual([0, '', ''])
})

it.each<[string, number, number, number]>([
  ['as many as are allowed', 30, 30, 0],
  ['more', 29, 10, 20],
])('of %s targets, %i with series at most, %i have series', async (_, seriesAtMost, withSeries, without) => {
  const targets = Array.from({ length: 30 }, (_, index) => `127.0.0.1:${index + 1}`)
  const states = targets.slice(10).map((target) => ({ target, state: 'up' as const, since: 1 }))
  const at = await serving(manager, targets, { watch: { ...never, states }, seriesAtMost })
  const { body } = await get(at, '/metrics')
  expect(linesFor(body, 'cancelpoint_target_results_in_a_row{')).toHaveLength(withSeries)
  expect(linesFor(body, 'cancelpoint_target_state{')).toHaveLength(withSeries * 3)
  expect(body).toContain(`cancelpoint_targets_without_series ${without}\n`)
  expect(body).toContain('cancelpoint_targets{state="up"} 20\n')
})

/** A watch of so many that are never checked. */
function manyTargets(count: number) {
  const labels = { env: 'prod' }
  return Array.from({ length: count }, (_, index) => ({
    target: `127.${index >> 16}.${(index >> 8) & 255}.${index & 255}:80`,
    labels,
  }))
}

describe('50,000 targets', () => {
  const count = 50_000

  it('are told in parts of few targets each', async () => {
    await using watch = manager.watch(manyTargets(count), never)
    const record = new Record(watch)
    const loopDelayMs = { p50: 0, p99: 0, max: 0 }
    const figures = { descriptors: 1, residentBytes: 1, cpuSeconds: 1, startedAt: 1, loopDelayMs }
    const scrape: Scrape = { watch, record, seriesAtMost: count, version: '1', dialect: 'text', figures }
    let [parts, states, most] = [0, 0, 0]
    for (const part of metricsOf(scrape)) {
      parts += 1
      const samples = part.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
      most = Math.max(most, samples.length)
      states += samples.filter((line) => line.startsWith('cancelpoint_target_state{')).length
    }
    expect(states).toBe(3 * count)
    // Three states each; and the totals in one.
    expect(most).toBeLessThanOrEqual(3 * rowsPerSlice)
    expect(parts).toBeGreaterThan((2 * count) / rowsPerSlice)
  })

  it('are looked through in parts for a page of few', async () => {
    await using watch = manager.watch(manyTargets(count), never)
    const record = new Record(watch)
    const query = { offset: 20_000, limit: 300, states: [], text: '80', labels: [] }
    const parts = [...targetsOf(watch, record, query)]
    expect(parts.length).toBeGreaterThan(count / rowsPerSlice)
    const { total, targets } = JSON.parse(parts.join(''))
    expect([total, targets.length]).toEqual([count, 300])
    for (const part of parts) expect(part.split('"history"').length - 1).toBeLessThanOrEqual(64)
  })

  it('each part is in a turn of its own, and waits for a slow reader', async () => {
    let turns = 0
    let stop = false
    const count = () => {
      turns += 1
      if (!stop) setImmediate(count)
    }
    setImmediate(count)
    const response = new SlowReader()
    const seen: number[] = []
    const parts = (function* () {
      for (let i = 0; i < 20; i += 1) {
        seen.push(turns)
        yield i % 3 === 0 ? '' : 'x'
      }
    })()
    await pour(parts, response)
    stop = true
    expect(new Set(seen).size).toBe(20)
    expect(response.text).toBe('x'.repeat(13))
    expect(response.overrun).toBe(0)
    expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
  })

  it('are rendered while others are served', async () => {
    const at = await serving(manager, manyTargets(count), { seriesAtMost: count })
    const scraping = get(at, '/metrics')
    let [between, isDone] = [0, false]
    void scraping.then(() => {
      isDone = true
    })
    while (!isDone) {
      expect((await get(at, '/healthz')).status).toBe(200)
      between += 1
    }
    expect(between).toBeGreaterThan(1)
    const { body } = await scraping
    expect(linesFor(body, 'cancelpoint_target_state{')).toHaveLength(3 * count)
  })
})

/** Takes every part, and says that it is full; has room again a little later. */
class SlowReader extends EventEmitter implements Drain {
  text = ''
  overrun = 0
  destroyed = false
  #full = false

  write(part: string): boolean {
    if (this.#full) this.overrun += 1
    this.text += part
    this.#full = true
    setTimeout(() => {
      this.#full = false
      this.emit('drain')
    }, 1)
    return false
  }

  end(): void {
    this.destroyed = true
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}
it('a scraper that has gone ends the work, also while it is waited for', async () => {
  for (const isWaitedFor of [true, false]) {
    const response = new SlowReader()
    let [taken, isFreed] = [0, false]
    const parts = (function* () {
      try {
        for (;;) {
          taken += 1
          if (!isWaitedFor && taken === 5) response.destroy()
          yield isWaitedFor ? 'x' : ''
        }
      } finally {
        isFreed = true
      }
    })()
    const pouring = pour(parts, response)
    if (isWaitedFor) setTimeout(() => response.destroy(), 0)
    await pouring
    expect(isFreed).toBe(true)
    expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
  }
})

it('few scrapes are made at once, and one that was broken off makes room', async () => {
  const at = await serving(manager, manyTargets(30_000), { seriesAtMost: 30_000 })
  const before = await steadyHeld()
  const sockets = await Promise.all(Array.from({ length: scrapesAtMost }, () => dial(at)))
  for (const socket of sockets) {
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
    // Nobody reads on: the answer is far from done.
    socket.pause()
  }
  const refused = await get(at, '/metrics')
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
  expect((await get(at, '/healthz')).status).toBe(200)
  const statusOfOneMore = async () => (await get(at, '/metrics', { method: 'HEAD' })).status
  sockets.pop()!.destroy()
  await expect.poll(statusOfOneMore).toBe(200)
  // The others are still there, and read nothing: the server lets go of them.
  const serverSide = () => held().open - before.open - sockets.length
  await expect.poll(serverSide, { timeout: 15_000 }).toBe(0)
  expect(await statusOfOneMore()).toBe(200)
  for (const socket of sockets) socket.destroy()
  await expect.poll(held).toEqual(before)
})
