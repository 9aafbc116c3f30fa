/** What people and pages read: targets, summary, health, events, files. */
import { once } from 'node:events'
import http from 'node:http'
import type { ConnectionManager, HealthChange } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { Record } from '#internal/serve/record'
import { startServer } from '#internal/serve/server'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { dial, get, getJson, never, serving, steadyHeld } from './serving.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept, { engine: 'nonblocking' })
})
afterAll(() => manager.close())

describe('/api/targets', () => {
  it('has all that is known of a target, with the remedy and its history', async () => {
    const labels = { env: 'prod' }
    const at = await serving(manager, [stations.accept, { target: stations.refuse, labels }], {
      watch: { intervalMs: 30 },
    })
    await expect
      .poll(async () => (await getJson(at, '/api/targets')).targets[0].history?.results.length)
      .toBeGreaterThan(2)
    const { targets, ...page } = await getJson(at, '/api/targets')
    const groups = [
      {
        label: 'env',
        values: [
          { value: 'prod', up: 0, down: 1, unknown: 0 },
          { value: '', up: 1, down: 0, unknown: 0 },
        ],
      },
    ]
    const counts = { up: 1, down: 1, unknown: 0 }
    expect(page).toEqual({ total: 2, matching: 2, counts, offset: 0, limit: 100, groups })
    // What a group is made of can be asked for, that of the targets without the label too.
    const without = await getJson(at, '/api/targets?label=env%3D')
    expect(without.targets.map(({ target }: { target: string }) => target)).toEqual([stations.accept])
    expect(targets[0]).toMatchObject({
      target: stations.refuse,
      labels,
      state: 'down',
      since: expect.any(Number),
      inARow: expect.any(Number),
      skipped: expect.any(Number),
      last: {
        status: 'down',
        code: 'ECONNREFUSED',
        errnoClass: 'refused',
        phase: 'connect',
        reason: 'Nothing listens there.',
      },
      remedy: 'Start the service or check the port.',
      history: { results: expect.stringMatching(/^d+$/) },
    })
    expect(targets[1]).toMatchObject({ state: 'up', last: { connectMs: expect.any(Number) } })
    expect(targets[1].remedy).toBeUndefined()
    const { results, connectMs } = targets[1].history
    expect(results).toBe('u'.repeat(connectMs.length))
    expect(connectMs.every((ms: number) => ms >= 0)).toBe(true)
  })

  const many = Array.from({ length: 700 }, (_, index) => ({
    target: `127.0.0.1:${index + 1}`,
    labels: { shard: String(index % 7) },
  }))
  const states = many.map(({ target, labels }, index) => ({
    target,
    labels,
    state: (['up', 'unknown', 'down'] as const)[index % 3]!,
    since: 1,
  }))

  it('is paged, filtered, and has what is not up first', async () => {
    const at = await serving(manager, many, { watch: { ...never, states } })
    const orderOf = async (query: string) =>
      (await getJson(at, `/api/targets?${query}`)).targets.map(({ state }: { state: string }) => state)
    const all: string[] = await orderOf('limit=1000')
    expect(all).toHaveLength(700)
    const rank = ['down', 'unknown', 'up']
    expect(all).toEqual([...all].sort((a, b) => rank.indexOf(a) - rank.indexOf(b)))
    const pages: string[] = []
    for (let offset = 0; offset < 700; offset += 99) {
      const { targets } = await getJson(at, `/api/targets?offset=${offset}&limit=99`)
      pages.push(...targets.map(({ target }: { target: string }) => target))
    }
    expect(new Set(pages).size).toBe(700)
    expect(new Set(await orderOf('state=down&limit=1000'))).toEqual(new Set(['down']))
    const found = await getJson(at, '/api/targets?label=shard=3&text=.1:4&limit=2')
    const expected = many.filter(({ target, labels }) => labels.shard === '3' && target.includes('.1:4'))
    expect([found.matching, found.targets.length, found.total]).toEqual([expected.length, 2, 700])
    expect((await getJson(at, '/api/targets?offset=999999999')).targets).toEqual([])
    for (const query of ['limit=0', 'state=x', 'wrong=1', 'offset=a'])
      expect((await get(at, `/api/targets?${query}`)).status, query).toBe(400)
  })

  it('hostile labels come back as they are', async () => {
    const labels = { __proto__x: '</script>', 'a"b': '\u2028\ud800\n', toString: 'x' }
    const at = await serving(manager, [{ target: '127.0.0.1:1', labels }])
    const { headers, body } = await get(at, '/api/targets')
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body).targets[0].labels).toEqual(labels)
  })
})

it('the history of a target ends when it leaves the list', async () => {
  const list = (label: string) => [{ target: stations.accept, labels: { label } }]
  await using watch = manager.watch(list('0'), { intervalMs: 5 })
  const record = new Record(watch)
  for (let i = 1; i <= 20; i += 1) {
    await expect
      .poll(() => record.history.past(record.keyOf(list(String(i - 1))[0]!)).results, { interval: 5 })
      .not.toBe('')
    watch.replace(list(String(i)))
  }
  await expect.poll(() => record.history.size).toBe(1)
  watch.replace([])
  record.forgetGone()
  await expect.poll(() => record.history.size).toBe(0)
  record.end()
})

it('/api/summary and /healthz', async () => {
  const at = await serving(manager, [stations.accept], { watch: { intervalMs: 40 } })
  await expect.poll(async () => (await getJson(at, '/api/summary')).checks.up).toBeGreaterThan(1)
  expect(await getJson(at, '/api/summary')).toMatchObject({
    targets: 1,
    up: 1,
    frozen: expect.any(Boolean),
    latenessMs: { p99: expect.any(Number) },
    changes: { up: 1, down: 0, unknown: 0 },
    version: '1.2.3',
  })
  await expect.poll(() => get(at, '/healthz'), { timeout: 20_000 }).toMatchObject({ status: 200, body: 'ok\n' })
  const until = performance.now() + 700
  while (performance.now() < until);
  await expect.poll(async () => (await get(at, '/healthz')).body).toMatch(/^ok, but no state changes now: /)
  expect((await getJson(at, '/api/summary')).frozen).toBe(true)
})

/** Events as they come, as `[name, data]`. */
async function follow({ port }: { port: number }) {
  const request = http.get({ host: '127.0.0.1', port, path: '/events', agent: false })
  const [response] = await once(request, 'response')
  response.setEncoding('utf8')
  let text = ''
  response.on('data', (part: string) => {
    text += part
  })
  response.on('error', () => {})
  const events = () =>
    [...text.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)].map(([, name, data]) => [name!, JSON.parse(data!)])
  return { events, response, end: () => request.destroy() }
}

const change = (port: number): HealthChange => ({
  target: `127.0.0.1:${port}`,
  from: 'up',
  to: 'down',
  at: 2,
  since: 1,
  results: 3,
  last: {
    target: `127.0.0.1:${port}`,
    status: 'down',
    code: 'ECONNREFUSED',
    errnoClass: 'refused',
    attempts: 1,
    startedAt: 1,
  },
})

describe('/events', () => {
  it('a summary at once and every second, changes as they come', async () => {
    const at = await serving(manager, [])
    const one = await follow(at)
    const two = await follow(at)
    expect(one.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    })
    at.server.tell(change(1))
    for (const { events } of [one, two]) {
      await expect.poll(() => events().map(([name]) => name)).toEqual(expect.arrayContaining(['summary', 'change']))
      expect(events().find(([name]) => name === 'change')![1]).toMatchObject({
        ...change(1),
        remedy: expect.any(String),
      })
      await expect.poll(() => events().filter(([name]) => name === 'summary').length).toBeGreaterThan(1)
    }
    two.end()
    one.end()
  })

  it('of very many changes some are told, and how many more there were', async () => {
    const at = await serving(manager, [])
    const { events, end } = await follow(at)
    const { changesToldAtMost } = limits.serve
    for (let port = 1; port <= 1_000; port += 1) at.server.tell(change(port))
    await expect
      .poll(() => events().filter(([name]) => name === 'more'))
      .toEqual([['more', { changes: 1_000 - changesToldAtMost }]])
    expect(events().filter(([name]) => name === 'change')).toHaveLength(changesToldAtMost)
    end()
  })

  it('as many follow as are allowed, and one who leaves makes room', async () => {
    const at = await serving(manager, [])
    const before = await steadyHeld()
    const all = await Promise.all(Array.from({ length: limits.serve.followersAtMost }, () => follow(at)))
    expect((await get(at, '/events')).status).toBe(503)
    all.pop()!.end()
    let last: Awaited<ReturnType<typeof follow>> | undefined
    await expect
      .poll(async () => {
        last = await follow(at)
        return last.response.statusCode
      })
      .toBe(200)
    for (const { end } of [...all, last!]) end()
    await expect.poll(held).toEqual(before)
  })

  it('one who does not read is dropped, and others are served', async () => {
    const at = await serving(manager, [])
    const before = await steadyHeld()
    const socket = await dial(at)
    socket.pause()
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await expect.poll(() => held().open).toBe(before.open + 2)
    const long = { ...change(1), target: 'x'.repeat(20_000) }
    // The socket hears of its end only when it reads again, and the descriptor of the server's side is gone before.
    await expect
      .poll(
        () => {
          for (let i = 0; i < limits.serve.changesToldAtMost; i += 1) at.server.tell(long)
          return held().open
        },
        { timeout: 25_000, interval: limits.serve.changesEveryMs },
      )
      .toBe(before.open + 1)
    socket.destroy()
    const other = await follow(at)
    await expect.poll(() => other.events().length).toBeGreaterThan(0)
    other.end()
    await expect.poll(held).toEqual(before)
  })
})

it('files of the page, with their ETag', async () => {
  const page = new Map([
    ['/', { type: 'text/html; charset=utf-8', body: '<!doctype html>' }],
    ['/app.js', { type: 'text/javascript; charset=utf-8', body: Buffer.from('1') }],
  ])
  const at = await serving(manager, [], { page })
  const { status, headers, body } = await get(at, '/')
  expect([status, body, headers['content-type']]).toEqual([200, '<!doctype html>', 'text/html; charset=utf-8'])
  expect(headers['cache-control']).toBe('no-cache')
  const etag = headers.etag as string
  expect((await get(at, '/app.js')).headers.etag).not.toBe(etag)
  for (const value of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await get(at, '/', { headers: { 'if-none-match': value } })
    expect([again.status, again.body, again.headers.etag]).toEqual([304, '', etag])
  }
  expect((await get(at, '/', { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
  expect(await get(at, '/app.js', { method: 'HEAD' })).toMatchObject({
    status: 200,
    body: '',
    headers: { 'content-length': '1' },
  })
  expect((await get(at, '/?x=1')).status).toBe(200)
  for (const path of ['/../package.json', '/app.js/', '//', '/%2e%2e/', '/APP.JS'])
    expect((await get(at, path)).status, path).toBe(404)
})

it('without a page there is a list of what there is', async () => {
  const at = await serving(manager, [])
  expect((await get(at, '/')).body).toContain('/metrics')
  expect(await get(at, '/nope<script>')).toMatchObject({ status: 404, body: expect.not.stringContaining('script') })
})

it('says where it listens, and warns where others can reach it', async () => {
  const at = await serving(manager, [])
  expect(at.server.url).toBe(`http://127.0.0.1:${at.port}/`)
  expect(at.server.warning).toBeUndefined()
  const open = await serving(manager, [], { listen: { host: '0.0.0.0', port: 0 } })
  expect(open.server.warning).toContain('other machines can reach')
  expect((await get(open, '/healthz', { headers: { host: '192.0.2.1' } })).status).toBe(200)
  expect((await get(open, '/healthz', { headers: { host: 'evil.test' } })).status).toBe(421)
  const named = await serving(manager, [], { hosts: ['Watcher.internal'] })
  expect((await get(named, '/healthz', { headers: { host: 'watcher.internal:80' } })).status).toBe(200)
  const watch = manager.watch([])
  const listen = { host: '127.0.0.1', port: at.port }
  await expect(startServer({ manager, watch, version: '1', listen })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${at.port}: another program listens there`,
  )
  await watch[Symbol.asyncDispose]()
})

it('close ends all that is under way, and may be called again', async () => {
  await (await serving(manager, []))[Symbol.asyncDispose]()
  const before = await steadyHeld()
  const at = await serving(manager, [stations.accept], { watch: { intervalMs: 20 } })
  const follower = await follow(at)
  const silent = await dial(at)
  const half = await dial(at)
  half.write('GET /metr')
  const closed = Promise.all(
    [follower.response, silent, half].map((each) => new Promise<void>((resolve) => each.once('close', resolve))),
  )
  await Promise.all([at.server.close(), at.server.close()])
  await closed
  await expect(get(at, '/healthz')).rejects.toThrow('ECONNREFUSED')
  await at[Symbol.asyncDispose]()
  await expect.poll(held).toEqual(before)
})
