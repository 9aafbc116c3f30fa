import { createSocket } from 'node:dgram'
import { getEventListeners, once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ConnectError } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { Resolver } from '#internal/names/resolver'
import { runFixture } from '../support/child.js'
import { NameServer, typeA, typeAaaa, v4, v6, type Zone } from '../support/dns-server.js'
import { answerInNamespace, refusalOfNamespace } from '../support/namespace.js'

const zone: Zone = {
  'both.test': { [typeA]: [v4(1), v4(2), v4(1)], [typeAaaa]: [v6(1)] },
  'only4.test': { [typeA]: [v4(4)], [typeAaaa]: [] },
  'only6.test': { [typeA]: [], [typeAaaa]: [v6(6)] },
  'half.test': { [typeA]: [v4(5)], [typeAaaa]: 2 },
  'mute6.test': { [typeA]: [v4(7)], [typeAaaa]: 'silence' },
  'empty.test': { [typeA]: [], [typeAaaa]: [] },
  'broken.test': { [typeA]: 2, [typeAaaa]: 2 },
  'refused.test': { [typeA]: 5, [typeAaaa]: 5 },
  'slow.test': { [typeA]: 'silence', [typeAaaa]: 'silence' },
}

let server: NameServer
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-resolver-'))
const hostsPath = join(directory, 'hosts')
const resolvConfPath = join(directory, 'resolv.conf')

beforeAll(async () => {
  server = await NameServer.open(zone)
  writeFileSync(hostsPath, '')
  writeFileSync(resolvConfPath, 'search .\n')
  // Node opens what it needs for its first query.
  await resolverWith({}).resolve('both.test', { signal: new AbortController().signal })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const resolverWith = (options: ConstructorParameters<typeof Resolver>[0]) =>
  new Resolver({ servers: server.servers, hostsPath, resolvConfPath, ...options })
const descriptors = () => readdirSync('/proc/self/fd').length

/** Resolves as `call` does, and holds it to what every look-up owes: no descriptor, no listener is left. */
async function resolve(
  name: string,
  resolver = resolverWith({}),
  controller = new AbortController(),
): Promise<unknown> {
  const { signal } = controller
  const before = descriptors()
  const outcome = await resolver.resolve(name, { signal }).catch((error: Error) => error)
  expect(getEventListeners(signal, 'abort').length).toBe(0)
  expect(descriptors()).toBe(before)
  return outcome
}

describe('names in DNS', () => {
  it.each([
    ['both.test', ['::1', '127.0.0.1', '127.0.0.2']],
    ['BOTH.test.', ['::1', '127.0.0.1', '127.0.0.2']],
    ['only4.test', ['127.0.0.4']],
    ['only6.test', ['::6']],
    ['half.test', ['127.0.0.5']],
    ['mute6.test', ['127.0.0.7']],
  ])('%s is %j', async (name, addresses) => {
    expect(await resolve(name)).toEqual(addresses)
  })

  it.each([
    ['missing.test', 'ENOTFOUND'],
    ['empty.test', 'ENOTFOUND'],
    ['broken.test', 'EAI_AGAIN'],
    ['refused.test', 'EAI_AGAIN'],
    ['slow.test', 'EAI_AGAIN'],
  ])('%s is %s', async (name, code) => {
    const error = await resolve(name, resolverWith({ timeoutMs: 50, tries: 1 }))
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ code, errnoClass: 'name', hostname: name, message: expect.stringContaining(name) })
    expect((error as ConnectError).syscall).toMatch(/^query(A|Aaaa)$/)
    expect(error).not.toHaveProperty('address')
  })

  it('gives back the place in the line of each that could not even ask', async () => {
    const resolver = resolverWith({ servers: ['nobody'] })
    const outcomes = Array.from({ length: limits.questionsAtMost + 1 }, (_, i) => resolve(`${i}.test`, resolver))
    expect(new Set((await Promise.all(outcomes)).map((error) => (error as NodeJS.ErrnoException).code))).toEqual(
      new Set(['ERR_INVALID_IP_ADDRESS']),
    )
  })

  it('asks nobody where nobody listens', async () => {
    const closed = createSocket('udp4').bind(0, '127.0.0.1')
    await once(closed, 'listening')
    const nobody = [`127.0.0.1:${closed.address().port}`]
    closed.close()
    await once(closed, 'close')
    const error = await resolve('both.test', resolverWith({ servers: nobody, timeoutMs: 50, tries: 1 }))
    expect(error).toMatchObject({ code: 'EAI_AGAIN' })
  })
})

describe('names not in DNS', () => {
  it.each([
    ['127.0.0.1', ['127.0.0.1']],
    ['::1', ['::1']],
    ['localhost', ['::1', '127.0.0.1']],
    ['LocalHost.', ['::1', '127.0.0.1']],
    ['a.localhost', ['::1', '127.0.0.1']],
  ])('%s is %j', async (name, addresses) => {
    server.asked.length = 0
    expect(await resolve(name)).toEqual(addresses)
    expect(server.asked).toEqual([])
  })

  it('come from the hosts file in its order, read again when it has changed', async () => {
    const path = join(directory, 'changing')
    const resolver = resolverWith({ hostsPath: path })
    expect(await resolve('both.test', resolver)).toHaveLength(3)
    writeFileSync(
      path,
      '# both.test\n127.0.0.9\tBoth.Test alias # 127.0.0.8 alias\r\n::9 both.test.\n127.0.0.9 both.test\n' +
        '127.0.0.3 localhost\nfe80::1%lo0 localhost\nfe80::1%7 scoped\n999.0.0.1 alias\n127.0.0.5',
    )
    expect(await resolve('both.test', resolver)).toEqual(['127.0.0.9', '::9'])
    expect(await resolve('ALIAS', resolver)).toEqual(['127.0.0.9'])
    expect(await resolve('localhost', resolver)).toEqual(['127.0.0.3'])
    expect(await resolve('scoped', resolver)).toEqual(['fe80::1%7'])
    writeFileSync(path, '127.0.0.10 both.test\n')
    expect(await resolve('both.test', resolver)).toEqual(['127.0.0.10'])
    rmSync(path)
    expect(await resolve('both.test', resolver)).toHaveLength(3)
  })

  it('keeps what it knew while there is no descriptor to read it with, and calls no name unknown', async () => {
    const ended = await runFixture('hosts-unread')
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'done\n', stderr: '' })
  })
})

const refused = refusalOfNamespace('-Urnm')
const skipped = refused && `, skipped: ${refused}`

it.skipIf(refused)(`resolv.conf's servers are asked even where c-ares could not read it${skipped}`, () => {
  expect(answerInNamespace('-Urnm', 'servers-unread')).toEqual({ '127.0.0.1': 0, '127.0.0.2': 2 })
})

describe('cancelling', () => {
  it('a signal that has aborted starts nothing', async () => {
    server.asked.length = 0
    const controller = new AbortController()
    controller.abort(new Error('why'))
    const error = await resolve('both.test', resolverWith({}), controller)
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: controller.signal.reason })
    expect(server.asked).toEqual([])
  })

  it.each(['slow.test', 'mute6.test'])('ends the query for %s', async (name) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('why')), 30)
    const error = await resolve(name, resolverWith({}), controller)
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: controller.signal.reason })
  })

  it('ends only what was cancelled, those in the line included, and all of it at close', async () => {
    const resolver = resolverWith({})
    const before = descriptors()
    const controllers = Array.from({ length: 400 }, () => new AbortController())
    const outcomes = controllers.map(({ signal }) =>
      resolver.resolve('slow.test', { signal }).catch((error) => error.code),
    )
    const other = new AbortController()
    const waiting = resolver.resolve('both.test', { signal: other.signal })
    await wait(100)
    expect(descriptors()).toBeGreaterThan(before)
    for (const controller of controllers.slice(50)) controller.abort()
    expect(new Set(await Promise.all(outcomes.slice(50)))).toEqual(new Set(['ABORT_ERR']))
    expect(await waiting).toHaveLength(3)
    resolver.close()
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['ABORT_ERR']))
    expect(await resolve('both.test', resolver)).toMatchObject({ code: 'ABORT_ERR' })
    for (const { signal } of [...controllers, other]) expect(getEventListeners(signal, 'abort').length).toBe(0)
    expect(descriptors()).toBe(before)
  })

  it('at any moment leaves nothing', async () => {
    const before = descriptors()
    const resolver = resolverWith({})
    const codes = new Set<unknown>()
    for (let i = 0; i < 200; i += 1) {
      const controller = new AbortController()
      setTimeout(() => controller.abort(), (i % 10) / 5)
      codes.add(
        await resolver.resolve('both.test', { signal: controller.signal }).then(
          () => 'resolved',
          (error) => error.code,
        ),
      )
      expect(getEventListeners(controller.signal, 'abort').length).toBe(0)
    }
    codes.delete('resolved')
    codes.delete('ABORT_ERR')
    expect([...codes]).toEqual([])
    expect(descriptors()).toBe(before)
  })
})
