/** Several name servers: those that fail, that are silent, that refuse load, and those that take another's place. */
import { createSocket } from 'node:dgram'
import { once, setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { Resolver, type ResolverOptions } from '#internal/names/resolver'
import { openDescriptors } from '../support/counts.js'
import { NameServer, type ServerOptions, typeA, typeAaaa, v4, v6, type Zone } from '../support/dns-server.js'

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-name-servers-'))
const resolvConfPath = join(directory, 'resolv.conf')
const never = new AbortController().signal
setMaxListeners(0, never)
const open: NameServer[] = []

beforeAll(async () => {
  writeFileSync(resolvConfPath, 'search .\n')
  // Node opens what it needs for its first query.
  const server = await serve(says(1))
  await resolverOf([server]).resolve('any.test', { signal: never })
})
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]()
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Every name has one address, whose last part tells the server. */
const says = (last: number, ttl = 0): Zone => ({ '*': { [typeA]: [v4(last)], [typeAaaa]: [], ttl } })
const fails = (rcode: number): Zone => ({ '*': { [typeA]: rcode, [typeAaaa]: rcode } })
const silent: Zone = { '*': { [typeA]: 'silence', [typeAaaa]: 'silence' } }

async function serve(zone: Zone, options?: ServerOptions): Promise<NameServer> {
  const server = await NameServer.open(zone, options)
  open.push(server)
  return server
}

const resolverOf = (servers: readonly NameServer[], options: ResolverOptions = {}) =>
  new Resolver({
    servers: servers.flatMap((each) => each.servers),
    hostsPath: '/dev/null',
    resolvConfPath,
    timeoutMs: 300,
    ...options,
  })

/** Addresses or a code; no descriptor is left. */
async function outcomeOf(resolver: Resolver, name: string, options = {}): Promise<unknown> {
  const before = openDescriptors()
  const outcome = await resolver.resolve(name, { signal: never, ...options }).catch((error) => error.code)
  expect(openDescriptors()).toBe(before)
  return outcome
}

describe('of two servers', () => {
  it.each([
    ['FORMERR', 1],
    ['SERVFAIL', 2],
    ['NOTIMP', 4],
    ['REFUSED', 5],
  ])('the second is asked where the first says %s', async (_, rcode) => {
    const servers = [await serve(fails(rcode)), await serve(says(2))]
    expect(await outcomeOf(resolverOf(servers), 'a.test')).toEqual(['127.0.0.2'])
  })

  it('the second is not asked where the first says that there is no such name', async () => {
    const servers = [await serve({}), await serve(says(2))]
    expect(await outcomeOf(resolverOf(servers), 'a.test')).toBe('ENOTFOUND')
    expect(servers[1]!.asked).toEqual([])
  })

  it('one that fails and one that is silent come to "nobody could say"', async () => {
    const servers = [await serve(fails(2)), await serve(silent)]
    expect(await outcomeOf(resolverOf(servers, { tries: 1 }), 'a.test')).toBe('EAI_AGAIN')
  })

  it('each is asked first in its turn, where resolv.conf says rotate', async () => {
    const rotating = join(directory, 'rotate')
    writeFileSync(rotating, 'search .\noptions rotate\n')
    const servers = [await serve(says(1)), await serve(says(2))]
    const resolver = resolverOf(servers, { resolvConfPath: rotating })
    await outcomeOf(resolver, 'a.test')
    expect(servers.map(({ asked }) => asked.length)).toEqual([1, 1])
  })
})

describe('a first server that is silent', () => {
  it('is waited for once, not by every name, and is asked again once it has come back', async () => {
    const servers = [await serve(silent), await serve(says(2))]
    const resolver = resolverOf(servers)
    expect(await outcomeOf(resolver, 'first.test')).toEqual(['127.0.0.2'])
    const asked = servers[0]!.asked.length
    for (let i = 0; i < 20; i += 1) expect(await outcomeOf(resolver, `${i}.test`)).toEqual(['127.0.0.2'])
    expect(servers[0]!.asked.length).toBe(asked)
  })

  it('is not taken for dead where it answers other questions', async () => {
    const zone: Zone = { ...says(1), 'mute.test': { [typeA]: 'silence', [typeAaaa]: 'silence' } }
    const servers = [await serve(zone), await serve(says(2))]
    const resolver = resolverOf(servers)
    const mute = outcomeOf(resolver, 'mute.test')
    await wait(50)
    await resolver.resolve('other.test', { signal: never })
    expect(await mute).toEqual(['127.0.0.2'])
    expect(await outcomeOf(resolver, 'third.test')).toEqual(['127.0.0.1'])
  })

  it('is passed as well where nothing listens at its port', async () => {
    const closed = createSocket('udp4').bind(0, '127.0.0.1')
    await once(closed, 'listening')
    const nobody = `127.0.0.1:${closed.address().port}`
    closed.close()
    const second = await serve(says(2))
    const resolver = resolverOf([], { servers: [nobody, ...second.servers] })
    expect(await outcomeOf(resolver, 'a.test')).toEqual(['127.0.0.2'])
  })
})

describe('a server that refuses load', () => {
  it.each<[string, number, ServerOptions]>([
    ['says REFUSED', 100, { beyond: 5 }],
    ['says SERVFAIL', 100, { beyond: 2 }],
    ['says REFUSED early', 20, { beyond: 5 }],
  ])('and %s is not believed, and asked for less', async (_, atOnce, options) => {
    const slow: Zone = { '*': { [typeA]: [v4(1)], [typeAaaa]: [v6(1)], afterMs: { [typeA]: 50, [typeAaaa]: 50 } } }
    const server = await serve(slow, { ...options, atOnce })
    const resolver = resolverOf([server], { timeoutMs: 5_000 })
    const before = openDescriptors()
    const outcomes = await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        resolver.resolve(`${i}.test`, { signal: never }).then(
          (addresses) => addresses.length,
          (error) => error.code,
        ),
      ),
    )
    expect(new Set(outcomes)).toEqual(new Set([2]))
    expect(openDescriptors()).toBe(before)
    expect(server.mostAtOnce).toBeLessThanOrEqual(atOnce)
    // It was asked for too much now and then, and mostly not.
    expect(server.refused).toBeLessThan(800)
  })

  it('is believed where it refuses everything, before long', async () => {
    const server = await serve(fails(5))
    const resolver = resolverOf([server])
    const outcomes = Array.from({ length: 300 }, (_, i) =>
      resolver.resolve(`${i}.test`, { signal: never }).catch((error) => error.code),
    )
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['EAI_AGAIN']))
  })

  it('costs its callers a wait that they are told of', async () => {
    const slow: Zone = { '*': { [typeA]: [v4(1)], [typeAaaa]: [], afterMs: { [typeA]: 30, [typeAaaa]: 30 } } }
    const resolver = resolverOf([await serve(slow)])
    const count = limits.questionsAtMost
    const told = Array.from({ length: count }, () => [] as boolean[])
    await Promise.all(
      told.map((waits, i) => resolver.resolve(`${i}.test`, { signal: never, waits: (on) => waits.push(on) })),
    )
    expect(told[0]).toEqual([])
    expect(told.at(-1)!.slice(0, 2)).toEqual([true, false])
    for (const waits of told) expect(waits.filter((on) => on).length).toBe(waits.filter((on) => !on).length)
  })

  it('has a line that each caller can leave, and is told so', async () => {
    const resolver = resolverOf([await serve(silent)], { timeoutMs: 5_000 })
    const controllers = Array.from({ length: 150 }, () => new AbortController())
    const told: boolean[] = []
    const waits = (on: boolean) => told.push(on)
    const calls = controllers.map(({ signal }, i) =>
      resolver.resolve(`${i}.test`, { signal, waits }).catch((error) => error.code),
    )
    await wait(50)
    for (const controller of controllers) controller.abort()
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ABORT_ERR']))
    expect(told.filter((on) => on).length).toBe(told.filter((on) => !on).length)
    expect(told.length).toBeGreaterThan(0)
  })
})

describe('what servers said', () => {
  const listed = join(directory, 'listed')
  const list = (...servers: string[]) =>
    writeFileSync(listed, `search .\n${servers.map((each) => `nameserver ${each}\n`).join('')}`)
  /** Two at one port, of which resolv.conf names the first. */
  async function serveTwo(first: Zone, second: Zone) {
    const one = await serve(first, { address: '127.0.0.2' })
    const serverPort = Number(one.servers[0]!.split(':')[1])
    const two = await serve(second, { address: '127.0.0.3', port: serverPort })
    list('127.0.0.2')
    return { one, two, resolver: resolverOf([], { servers: undefined, serverPort, resolvConfPath: listed }) }
  }

  it('is dropped when others take their place, "no such name" included', async () => {
    const known = (last: number) => ({ 'kept.test': { [typeA]: [v4(last)], [typeAaaa]: [], ttl: 300 } })
    const { resolver } = await serveTwo(known(1), { ...known(2), 'none.test': says(2)['*']! })
    for (let i = 0; i < 2; i += 1) {
      expect(await outcomeOf(resolver, 'kept.test')).toEqual(['127.0.0.1'])
      expect(await outcomeOf(resolver, 'none.test')).toBe('ENOTFOUND')
    }
    list('127.0.0.3')
    expect(await outcomeOf(resolver, 'kept.test')).toEqual(['127.0.0.2'])
    expect(await outcomeOf(resolver, 'none.test')).toEqual(['127.0.0.2'])
    list('127.0.0.2')
    expect(await outcomeOf(resolver, 'none.test')).toBe('ENOTFOUND')
  })

  it('stays where resolv.conf was written again with the same servers', async () => {
    const { one, resolver } = await serveTwo(says(1, 300), {})
    await outcomeOf(resolver, 'kept.test')
    writeFileSync(listed, '# again\nsearch . other.test\nnameserver 127.0.0.2\n')
    await outcomeOf(resolver, 'kept.test')
    expect(one.asked.length).toBe(2)
  })

  it('is not told to those who ask after the change', async () => {
    const slow: Zone = { '*': { [typeA]: [v4(1)], [typeAaaa]: [], ttl: 300, afterMs: { [typeA]: 60 } } }
    const { resolver } = await serveTwo(slow, says(2, 300))
    const first = resolver.resolve('a.test', { signal: never })
    await wait(10)
    list('127.0.0.3')
    expect(await resolver.resolve('a.test', { signal: never })).toEqual(['127.0.0.2'])
    expect(await first).toEqual(['127.0.0.1'])
    expect(await resolver.resolve('a.test', { signal: never })).toEqual(['127.0.0.2'])
  })

  it('is forgotten by flush', async () => {
    const server = await serve(says(1, 300))
    const resolver = resolverOf([server])
    for (let i = 0; i < 3; i += 1) {
      await outcomeOf(resolver, 'kept.test')
      await outcomeOf(resolver, 'kept.test')
      resolver.flush()
    }
    expect(server.asked.length).toBe(6)
  })

  it('is kept no longer than cacheMs', async () => {
    const server = await serve(says(1, 300))
    const resolver = resolverOf([server], { cacheMs: 0 })
    await outcomeOf(resolver, 'kept.test')
    await outcomeOf(resolver, 'kept.test')
    expect(server.asked.length).toBe(4)
  })

  it('that there is no such name is asked again where a fresh answer is wanted', async () => {
    const server = await serve({})
    const resolver = resolverOf([server])
    expect(await outcomeOf(resolver, 'new.test')).toBe('ENOTFOUND')
    server.zone['new.test'] = { [typeA]: [v4(1)], [typeAaaa]: [], ttl: 300 }
    expect(await outcomeOf(resolver, 'new.test')).toBe('ENOTFOUND')
    expect(await outcomeOf(resolver, 'new.test', { fresh: true })).toEqual(['127.0.0.1'])
    const asked = server.asked.length
    expect(await outcomeOf(resolver, 'new.test', { fresh: true })).toEqual(['127.0.0.1'])
    expect(server.asked.length).toBe(asked)
  })
})

it('a name with thousands of addresses gives as many as are tried, and says what it left out', async () => {
  const all = Array.from({ length: 3_000 }, (_, i) => [127, 1, i >> 8, i & 255])
  const server = await serve({ 'many.test': { [typeA]: all, [typeAaaa]: [v6(1)] } })
  const told: { addresses: readonly string[]; error?: Error }[] = []
  await resolverOf([server]).query('many.test', { signal: never }, (answer) => told.push(answer))
  const many = told.find(({ addresses }) => addresses.length > 1)!
  expect(many.addresses.length).toBe(limits.addressesAtMost)
  expect(many.error).toMatchObject({ code: 'ERR_TOO_MANY_ADDRESSES', errnoClass: 'name' })
  expect(many.error!.message).toContain(`${3_000 - limits.addressesAtMost} of them are not tried`)
})
