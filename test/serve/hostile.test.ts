/** Requests that no honest client sends. None of them is answered with more than a refusal, and none holds anything. */
import { once } from 'node:events'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { dial, get, getJson, raw, type Serving, serving, steadyHeld } from './serving.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept, { engine: 'nonblocking' })
})
afterAll(() => manager.close())

const page = new Map([['/app.js', { type: 'text/javascript', body: '1' }]])
let at: Serving
let before: ReturnType<typeof held>
beforeEach(async () => {
  at = await serving(manager, ['127.0.0.1:1'], { page })
  before = await steadyHeld()
})

const bounds = limits.serve
const security = {
  'content-security-policy': expect.stringContaining("default-src 'none'"),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': expect.stringMatching(/^no-(store|cache)$/),
}

/** The headers of an answer as it came. */
function headersOf(said: string): Record<string, string> {
  const [, ...lines] = said.split('\r\n\r\n')[0]!.split('\r\n')
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
}

it.each([
  '/',
  '/metrics',
  '/api/targets',
  '/api/targets?x=1',
  '/api/summary',
  '/healthz',
  '/app.js',
  '/probe?target=x',
  '/nope',
])('%s has the security headers, and none that lets other origins in', async (path) => {
  const { headers } = await get(at, path, { headers: { origin: 'http://evil.test' } })
  expect(headers).toMatchObject(security)
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
})

describe('a name that was made to lead here', () => {
  it.each([
    '/',
    '/app.js',
    '/metrics',
    '/probe?target=127.0.0.1:1',
    '/api/targets',
    '/api/summary',
    '/healthz',
    '/events',
    '/nope',
  ])('gets nothing at %s', async (path) => {
    const { status, headers, body } = await get(at, path, { headers: { host: 'evil.test' } })
    expect([status, body]).toEqual([421, expect.stringContaining('Host header')])
    expect(headers).toMatchObject(security)
  })

  it.each<[string, number]>([
    ['GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 200],
    ['GET /healthz HTTP/1.1\r\nHost: [::1]:1\r\nConnection: close\r\n\r\n', 200],
    ['GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n', 200],
    ['GET /healthz HTTP/1.0\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\nHost: evil.test\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\nHost: localhost, evil.test\r\nConnection: close\r\n\r\n', 421],
    ['GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
    ['GET http://evil.test/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
  ])('%j: %i', async (request, status) => {
    expect(await raw(at, request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })
})

it.each<[string, string, number]>([
  ['cross-site', '/metrics', 403],
  ['cross-site', '/api/targets', 403],
  ['same-site', '/api/summary', 403],
  ['cross-site', '/events', 403],
  ['cross-site', '/probe?target=127.0.0.1:1', 403],
  ['same-origin', '/api/summary', 200],
  ['none', '/metrics', 200],
  ['cross-site', '/app.js', 200],
])('a %s page that asks for %s: %i', async (site, path, status) => {
  expect((await get(at, path, { headers: { 'sec-fetch-site': site } })).status).toBe(status)
})

it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'])('%s is refused', async (method) => {
  const { status, headers } = await get(at, '/api/targets', { method })
  expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
  expect(headers).toMatchObject(security)
})

describe('what is no request', () => {
  it.each<[string, string | Uint8Array, RegExp]>([
    ['garbage', '\x16\x03\x01\x00\xa5\x01\r\n\r\n', /^HTTP\/1.1 400 /],
    ['a method that is none', 'BREW /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1.1 400 /],
    ['no version', 'GET /metrics\r\n\r\n', /^HTTP\/1.1 400 /],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^(HTTP\/1.1 4\d\d |$)/],
    ['huge headers', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    [
      'very many headers',
      `GET / HTTP/1.1\r\nHost: localhost\r\n${'a: b\r\n'.repeat(20_000)}\r\n`,
      /^(HTTP\/1.1 431 |$)/,
    ],
    ['a line end in a header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb: c\r\n\r\n', /^HTTP\/1.1 400 /],
    ['a space before a colon', 'GET / HTTP/1.1\r\nHost : localhost\r\n\r\n', /^HTTP\/1.1 400 /],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'length and chunks',
      'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400 /,
    ],
    ['a tunnel', 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', /^$/],
    ['a body', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc', /^HTTP\/1.1 413 /],
    [
      'chunks',
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 413 /,
    ],
    [
      'an endless body',
      'POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nabc',
      /^HTTP\/1.1 405 /,
    ],
    [
      'a strange expectation',
      'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nConnection: close\r\n\r\n',
      /^HTTP\/1.1 417 /,
    ],
    ['a star', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n', /^HTTP\/1.1 405 /],
  ])('%s is refused, and the connection closed', async (_, bytes, expected) => {
    const said = await raw(at, bytes)
    expect(said).toMatch(expected)
    if (said) expect(headersOf(said)).toMatchObject(security)
    expect((await get(at, '/healthz')).status).toBe(200)
    await expect.poll(held).toEqual(before)
  })

  it('a long address is refused', async () => {
    expect((await get(at, `/${'a'.repeat(bounds.urlLengthAtMost)}`)).status).toBe(414)
    expect((await get(at, `/metrics?${'a'.repeat(bounds.headerBytesAtMost)}`)).status).toBe(431)
  })

  it('an upgrade is an ordinary request', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket' }
    expect((await get(at, '/healthz', { headers })).body).toMatch(/^ok/)
  })

  it('nothing of a request comes back unescaped', async () => {
    const nasty = encodeURIComponent('<script>\r\nX: y\u202e')
    for (const path of [
      `/${nasty}`,
      `/api/targets?state=${nasty}`,
      `/api/targets?${nasty}=1`,
      `/probe?target=${nasty}`,
    ]) {
      const { body, headers } = await get(at, path)
      expect(body.trimEnd()).not.toMatch(/[\r\n\u202e]/)
      expect(headers['content-type']).toMatch(/^text\/plain/)
      expect(headers).not.toHaveProperty('x')
    }
  })
})

describe('requests in a row on one connection', () => {
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const last = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

  it('are answered in order', async () => {
    const said = await raw(at, request('/api/summary') + request('/metrics') + request('/nope') + last)
    const statuses = [...said.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => status)
    expect(statuses).toEqual(['200', '200', '404', '200'])
    expect(said).toMatch(/\r\n\r\nok.*\n$/)
  })

  it('beyond a few are refused, and no more than one is worked on', async () => {
    const said = await raw(at, request('/metrics').repeat(40) + last)
    const statuses = [...said.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => status)
    expect(statuses).toHaveLength(41)
    expect(statuses.filter((status) => status === '200').length).toBe(1 + bounds.pipelinedAtMost)
    expect(new Set(statuses)).toEqual(new Set(['200', '503']))
  })

  it('end with the client', async () => {
    for (let i = 0; i < 20; i += 1) {
      const socket = await dial(at)
      socket.write(request('/metrics').repeat(10))
      socket.destroy()
    }
    await expect.poll(held).toEqual(before)
    expect((await getJson(at, '/api/summary')).targets).toBe(1)
  })
})

it('clients that say nothing, or very little, are closed, and others are served meanwhile', {
  timeout: 40_000,
}, async () => {
  const sockets = await Promise.all(Array.from({ length: 60 }, () => dial(at)))
  const closed = sockets.map((socket) => once(socket.resume(), 'close'))
  const slow = sockets.slice(0, 20)
  for (const socket of slow) socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
  const drip = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write('X: y\r\n')
  }, 200)
  expect((await get(at, '/healthz')).status).toBe(200)
  await Promise.all(closed)
  clearInterval(drip)
  await expect.poll(held).toEqual(before)
})

it('no more connections are held than are allowed', async () => {
  const sockets = await Promise.all(Array.from({ length: bounds.connectionsAtMost + 40 }, () => dial(at)))
  let open = sockets.length
  for (const socket of sockets) socket.resume().once('close', () => (open -= 1))
  await expect.poll(() => open).toBeLessThanOrEqual(bounds.connectionsAtMost)
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await get(at, '/healthz').catch(() => undefined))?.status).toBe(200)
  await expect.poll(held).toEqual(before)
})
