import { BlockList } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { establish } from '#internal/call/connect'
import { BlockingEngine } from '#internal/engines/blocking'
import { Resolver } from '#internal/names/resolver'
import { callOver } from '../support/call.js'
import { openDescriptors } from '../support/counts.js'
import { NameServer, typeA, typeAaaa, v4, v6, type Zone } from '../support/dns-server.js'
import { lackingDnsmasq, openDnsmasq } from '../support/dnsmasq.js'
import { inet, inetName, Sockets } from '../support/sockets.mjs'

const many = Array.from({ length: 200 }, (_, i) => `127.0.8.${i + 1}`)

/** What the server asks for in its turn. */
const upstream: Zone = {
  'slow.test': { [typeA]: [v4(1)], [typeAaaa]: [v6(1)], afterMs: { [typeA]: 150, [typeAaaa]: 150 } },
  'slow6.test': { [typeA]: [v4(1)], [typeAaaa]: [v6(1)], afterMs: { [typeAaaa]: 1_500 } },
  'mute.test': { [typeA]: 'silence', [typeAaaa]: 'silence' },
  'broken.test': { [typeA]: 2, [typeAaaa]: 2 },
  'rebound.test': { [typeA]: [[127, 0, 8, 201]], [typeAaaa]: [] },
}

describe.skipIf(lackingDnsmasq)(`names from a real name server${lackingDnsmasq ? `: ${lackingDnsmasq}` : ''}`, () => {
  const sockets = new Sockets()
  const never = new AbortController().signal
  let behind: NameServer
  let server: Awaited<ReturnType<typeof openDnsmasq>>
  let resolver: Resolver

  beforeAll(async () => {
    behind = await NameServer.open(upstream)
    const [host, port] = behind.servers[0]!.split(':')
    server = await openDnsmasq([
      '--local=/test/',
      '--host-record=both.test,127.0.8.1,::1',
      '--host-record=only4.test,127.0.8.4',
      '--cname=alias.test,both.test',
      ...many.map((address) => `--host-record=many.test,${address}`),
      ...Object.keys(upstream).map((name) => `--server=/${name}/${host}#${port}`),
    ])
    resolver = resolverWith()
    await resolver.resolve('both.test', { signal: never })
  })
  afterAll(async () => {
    resolver.close()
    await server[Symbol.asyncDispose]()
    await behind[Symbol.asyncDispose]()
    sockets.close()
  })

  const resolverWith = () =>
    new Resolver({
      servers: server.servers,
      hostsPath: '/dev/null',
      resolvConfPath: '/dev/null',
      timeoutMs: 300,
      tries: 2,
    })
  const resolve = async (name: string, signal = never) => {
    const before = openDescriptors()
    const outcome = await resolver.resolve(name, { signal }).catch((error) => error.code)
    expect(openDescriptors()).toBe(before)
    return outcome
  }

  it.each<[string, string[] | string]>([
    ['both.test', ['::1', '127.0.8.1']],
    ['only4.test', ['127.0.8.4']],
    ['alias.test', ['::1', '127.0.8.1']],
    ['missing.test', 'ENOTFOUND'],
    ['broken.test', 'EAI_AGAIN'],
    ['slow.test', ['::1', '127.0.0.1']],
    ['slow6.test', ['127.0.0.1']],
    ['mute.test', 'EAI_AGAIN'],
  ])('%s is %j', async (name, outcome) => {
    expect(await resolve(name)).toEqual(outcome)
  })

  it('a truncated answer is asked for again over TCP', async () => {
    const addresses = (await resolve('many.test')) as string[]
    expect(addresses.toSorted()).toEqual(many.toSorted())
  })

  it('a query that is cancelled has closed its sockets, over UDP and over TCP', async () => {
    const before = openDescriptors()
    for (const [name, afterMs] of [
      ['mute.test', 20],
      ['many.test', 0],
      ['many.test', 1],
      ['many.test', 2],
    ] as const) {
      const controller = new AbortController()
      const call = resolverWith()
        .resolve(name, { signal: controller.signal })
        .catch((error) => error.code)
      await wait(afterMs)
      controller.abort()
      expect(openDescriptors(), name).toBe(before)
      await call
    }
  })

  it('a name that lies the second time, to get behind the block list, does not', async () => {
    const engine = new BlockingEngine({ lanes: 2 })
    const { port } = inetName(sockets.listener('inet', { address: inet(0, '127.0.8.201') }))
    sockets.listener('inet', { address: inet(port, '127.0.8.202') })
    const blockList = new BlockList()
    blockList.addAddress('127.0.8.202')
    const connect = () => establish(callOver(`rebound.test:${port}`, engine, resolver, { blockList }))
    ;(await connect()).claim.close()
    upstream['rebound.test']![typeA] = [[127, 0, 8, 202]]
    await expect(connect()).rejects.toMatchObject({ code: 'ERR_BLOCKED', address: '127.0.8.202', attempts: [] })
    await engine.close()
  })

  it('connects by name through a manager, whose look-ups are the caller’s here', async () => {
    const { port } = inetName(sockets.listener('inet', { address: inet(0, '127.0.8.1') }))
    await using manager = new ConnectionManager({ lookup: (name, options) => resolver.resolve(name, options) })
    const descriptor = await manager.open(`alias.test:${port}`)
    descriptor.close()
  })
})
