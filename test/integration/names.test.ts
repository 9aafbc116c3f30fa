import { getEventListeners } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { candidatesOf, parseResolvConf } from '#internal/names/resolv-conf'
import { type Answer, Resolver, type ResolverOptions } from '#internal/names/resolver'
import { openDescriptors } from '../support/counts.js'
import { NameServer, typeA, typeAaaa, v4, v6, type Zone } from '../support/dns-server.js'

const zone: Zone = {
  'kept.test': { [typeA]: [v4(1)], [typeAaaa]: [v6(1)], ttl: 60 },
  'brief.test': { [typeA]: [v4(1)], [typeAaaa]: [], ttl: 1 },
  'mixed.test': { [typeA]: [v4(1)], [typeAaaa]: 2, ttl: 60 },
  'late6.test': { [typeA]: [v4(1)], [typeAaaa]: [v6(1)], afterMs: { [typeAaaa]: 60 } },
  'late4.test': { [typeA]: [v4(1)], [typeAaaa]: [], afterMs: { [typeA]: 60 } },
  'slow.test': { [typeA]: [v4(9)], [typeAaaa]: [v6(9)], afterMs: { [typeA]: 80, [typeAaaa]: 80 } },
  'mute.test': { [typeA]: 'silence', [typeAaaa]: 'silence' },
  'db.one.test': { [typeA]: [], [typeAaaa]: [] },
  'db.two.test': { [typeA]: [v4(2)], [typeAaaa]: [] },
  'sick.one.test': { [typeA]: 2, [typeAaaa]: 2 },
  'sick.two.test': { [typeA]: [v4(2)], [typeAaaa]: [] },
  'mute.one.test': { [typeA]: 'silence', [typeAaaa]: 'silence' },
  'mute.two.test': { [typeA]: [v4(2)], [typeAaaa]: [] },
  'refused.one.test': { [typeA]: 5, [typeAaaa]: 5 },
  'refused.two.test': { [typeA]: [v4(2)], [typeAaaa]: [] },
  'own.test': { [typeA]: [v4(3)], [typeAaaa]: [] },
  'own.test.one.test': { [typeA]: 2, [typeAaaa]: 2 },
  'half.own.test.one.test': { [typeA]: 5, [typeAaaa]: 5 },
  'half.own.test': { [typeA]: [v4(3)], [typeAaaa]: [] },
  'broken.test': { [typeA]: 2, [typeAaaa]: 2 },
  'broken.test.one.test': { [typeA]: [v4(4)], [typeAaaa]: [] },
  'gone.test.one.test': { [typeA]: 2, [typeAaaa]: 2 },
}

let server: NameServer
let never: AbortSignal
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-names-'))
const hostsPath = join(directory, 'hosts')
const resolvConfPath = join(directory, 'resolv.conf')

beforeAll(async () => {
  server = await NameServer.open(zone)
  writeFileSync(hostsPath, '')
  writeFileSync(resolvConfPath, '# of this test\nsearch one.test two.test\n')
  never = new AbortController().signal
  // Node opens what it needs for its first query.
  await resolver().resolve('late6.test', { signal: never })
})
beforeEach(() => {
  server.asked.length = 0
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const resolver = (options: ResolverOptions = {}) =>
  new Resolver({ servers: server.servers, hostsPath, resolvConfPath, timeoutMs: 200, tries: 1, ...options })
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'resolved',
    (error) => error.code,
  )

describe('answers are kept', () => {
  it('for as long as they say, whatever the case', async () => {
    const names = resolver()
    const first = await names.resolve('kept.test.', { signal: never })
    expect(await names.resolve('KEPT.test', { signal: never })).toEqual(first)
    expect(server.asked.toSorted()).toEqual(['kept.test A', 'kept.test AAAA'])
  })

  it('and no longer', async () => {
    const names = resolver()
    await names.resolve('brief.test', { signal: never })
    await wait(1_050)
    await names.resolve('brief.test', { signal: never })
    // The empty answer for AAAA has no TTL of its own.
    expect(server.asked.toSorted()).toEqual(['brief.test A', 'brief.test A', 'brief.test AAAA'])
  })

  it('that there is no such name too, but not that nobody could say', async () => {
    const names = resolver({ resolvConfPath: hostsPath })
    expect(await codeOf(names.resolve('none.test', { signal: never }))).toBe('ENOTFOUND')
    expect(await codeOf(names.resolve('none.test', { signal: never }))).toBe('ENOTFOUND')
    expect(server.asked.filter((each) => each.startsWith('none.test ')).length).toBe(2)
    expect(await names.resolve('mixed.test', { signal: never })).toEqual(['127.0.0.1'])
    expect(await names.resolve('mixed.test', { signal: never })).toEqual(['127.0.0.1'])
    expect(server.asked.filter((each) => each.startsWith('mixed.test '))).toEqual([
      'mixed.test AAAA',
      'mixed.test A',
      'mixed.test AAAA',
    ])
  })
})

describe('answers flow', () => {
  const flow = async (name: string, names = resolver()) => {
    const answers: Answer[] = []
    await names.query(name, { signal: never }, (answer) => answers.push(answer))
    return answers.map(({ families, addresses, error }) => [...families, ...addresses, ...(error ? [error.code] : [])])
  }

  it.each<[string, string[][]]>([
    // Those that come first are told first.
    [
      'late6.test',
      [
        ['inet', '127.0.0.1'],
        ['inet6', '::1'],
      ],
    ],
    // That there is none of one family says nothing before there is one of the other.
    ['late4.test', [['inet6'], ['inet', '127.0.0.1']]],
    ['localhost', [['inet6', 'inet', '::1', '127.0.0.1']]],
  ])('%s', async (name, answers) => {
    expect(await flow(name)).toEqual(answers)
  })

  it('of both families as one where both are kept', async () => {
    const names = resolver()
    expect(await flow('kept.test', names)).toHaveLength(2)
    expect(await flow('kept.test', names)).toEqual([['inet6', 'inet', '::1', '127.0.0.1']])
  })

  it('with the reason where a family could not be asked for', async () => {
    expect((await flow('mixed.test')).toSorted()).toEqual([
      ['inet', '127.0.0.1'],
      ['inet6', 'EAI_AGAIN'],
    ])
  })
})

describe('look-ups of one name at one time', () => {
  it('share a query, and those who join late are told what was told before', async () => {
    const names = resolver()
    const first = names.resolve('late6.test', { signal: never })
    await wait(30)
    const second = names.resolve('late6.test', { signal: never })
    expect(await Promise.all([first, second])).toEqual([
      ['::1', '127.0.0.1'],
      ['::1', '127.0.0.1'],
    ])
    expect(server.asked.toSorted()).toEqual(['late6.test A', 'late6.test AAAA'])
  })

  it('are cancelled each on its own; the query ends with the last', async () => {
    const before = openDescriptors()
    const names = resolver({ timeoutMs: 10_000 })
    const controllers = [0, 1, 2].map(() => new AbortController())
    const calls = controllers.map(({ signal }) => names.resolve('slow.test', { signal }))
    controllers[0]!.abort()
    expect(await codeOf(calls[0]!)).toBe('ABORT_ERR')
    expect(openDescriptors()).toBeGreaterThan(before)
    expect(await Promise.all(calls.slice(1))).toEqual([
      ['::9', '127.0.0.9'],
      ['::9', '127.0.0.9'],
    ])
    const all = controllers.slice(1).map(({ signal }) => codeOf(names.resolve('mute.test', { signal })))
    await wait(20)
    for (const controller of controllers) controller.abort()
    expect(openDescriptors()).toBe(before)
    expect(await Promise.all(all)).toEqual(['ABORT_ERR', 'ABORT_ERR'])
    for (const { signal } of controllers) expect(getEventListeners(signal, 'abort').length).toBe(0)
  })

  it('are not each other’s: one whose own code throws is told no more, and alone', async () => {
    const before = openDescriptors()
    const names = resolver()
    const { signal } = new AbortController()
    const why = new Error('why')
    let times = 0
    const throwing = () => {
      times += 1
      throw why
    }
    const early = names.query('late6.test', { signal }, throwing)
    const other = names.resolve('late6.test', { signal })
    await expect(early).rejects.toBe(why)
    await expect(names.query('late6.test', { signal }, throwing)).rejects.toBe(why)
    expect(await other).toEqual(['::1', '127.0.0.1'])
    expect(times).toBe(2)
    // With nobody left to be told, it is over.
    await expect(names.query('late6.test', { signal }, throwing)).rejects.toBe(why)
    expect(openDescriptors()).toBe(before)
    expect(getEventListeners(signal, 'abort').length).toBe(0)
  })

  it('fail with an error each', async () => {
    const names = resolver()
    const errors = await Promise.all(
      [0, 1].map(() => names.resolve('mute.test', { signal: never }).catch((error: Error) => error)),
    )
    expect(errors[0]).toMatchObject({ code: 'EAI_AGAIN' })
    expect(errors[0]).toEqual(errors[1])
    expect(errors[0]).not.toBe(errors[1])
  })
})

describe('the search list', () => {
  it.each<[string, string, string[]]>([
    ['ndots:1', 'db', ['db.one.test', 'db.two.test', 'db']],
    ['ndots:1', 'db.one', ['db.one', 'db.one.one.test', 'db.one.two.test']],
    ['ndots:2', 'db.one', ['db.one.one.test', 'db.one.two.test', 'db.one']],
    ['ndots:0', 'DB', ['db', 'db.one.test', 'db.two.test']],
  ])('with %s: %s', (options, name, candidates) => {
    expect(
      candidatesOf(name.toLowerCase(), parseResolvConf(`search One.test two.test.\noptions x ${options}`)),
    ).toEqual(candidates)
  })

  it.each<[string, string[] | undefined]>([
    ['search a b\nsearch c ; d', ['c']],
    ['search a\ndomain b c', ['b']],
    ['search .', ['.']],
    ['nameserver 127.0.0.1', undefined],
  ])('%j', (text, search) => {
    expect(parseResolvConf(text).search).toEqual(search)
  })

  it('comes with what is said of asking the servers', () => {
    const told = (options: string) => {
      const { timeoutMs, tries, rotate } = parseResolvConf(`options ${options}`)
      return [timeoutMs, tries, rotate]
    }
    expect(told('timeout:1 attempts:4 rotate')).toEqual([1_000, 4, true])
    expect(told('timeout:99 attempts:99')).toEqual([30_000, 5, undefined])
    expect(told('timeout:0 attempts:0 timeout rotated timeout:x')).toEqual([undefined, undefined, undefined])
  })

  it('comes with the servers, those that are addresses', () => {
    const text = 'nameserver ::1\nnameserver 127.0.0.1 # here\nnameserver\nnameserver fe80::1%2\nnameserver there'
    expect(parseResolvConf(text).servers).toEqual(['::1', '127.0.0.1', 'fe80::1%2'])
  })

  it('is gone through until a name has an address', async () => {
    expect(await resolver().resolve('db', { signal: never })).toEqual(['127.0.0.2'])
    expect(server.asked.map((each) => each.split(' ')[0])).toEqual([
      'db.one.test',
      'db.one.test',
      'db.two.test',
      'db.two.test',
    ])
  })

  describe('as getaddrinfo goes through it', () => {
    const manyDots = join(directory, 'resolv.conf.ndots')
    writeFileSync(manyDots, 'search one.test two.test\noptions ndots:5\n')
    const ownNames = { resolvConfPath: manyDots }

    it.each<[string, string, string[] | string, ResolverOptions]>([
      ['passes a domain whose servers are broken', 'sick', ['127.0.0.2'], {}],
      ['ends at a domain of which nobody could say anything', 'mute', 'EAI_AGAIN', {}],
      ['ends at a domain whose servers refuse', 'refused', 'EAI_AGAIN', {}],
      ['comes to the name itself after a broken domain', 'own.test', ['127.0.0.3'], ownNames],
      ['comes to the name itself after a domain that refuses', 'half.own.test', ['127.0.0.3'], ownNames],
      ['cannot say that a name does not exist where a domain is broken', 'gone.test', 'EAI_AGAIN', ownNames],
      ['believes the name itself where that was asked first', 'gone.test', 'ENOTFOUND', {}],
      ['takes no other name for one of which nobody could say anything', 'broken.test', 'EAI_AGAIN', {}],
    ])('it %s', async (_, name, outcome, options) => {
      const names = resolver(options)
      const said = await names.resolve(name, { signal: never }).catch((error) => error.code)
      expect(said).toEqual(outcome)
    })
  })

  it('is not for full names', async () => {
    expect(await codeOf(resolver().resolve('db.', { signal: never }))).toBe('ENOTFOUND')
    expect(server.asked.toSorted()).toEqual(['db A', 'db AAAA'])
  })
})
