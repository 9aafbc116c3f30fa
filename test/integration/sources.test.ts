/** The order of a name's addresses by what the kernel says of them. Nothing here is sent to anybody beyond loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { establish } from '#internal/call/connect'
import type { InetEndpoint } from '#internal/core/endpoint'
import { BlockingEngine } from '#internal/engines/blocking'
import { Resolver } from '#internal/names/resolver'
import { byPreference } from '#internal/names/sources'
import { callOver } from '../support/call.js'
import { openDescriptors } from '../support/counts.js'
import { listen } from '../support/events.js'
import { countCalls } from '../support/moments.js'
import { answerInNamespace, refusalOfNamespace } from '../support/namespace.js'
import { inet, inetName, lackingIpv6, Sockets } from '../support/sockets.mjs'
import { engines } from '../support/warm-up.js'

const sockets = new Sockets()
beforeEach(countCalls)
afterEach(() => binding.clearFaults())
afterAll(() => sockets.close())

const at = (address: string): InetEndpoint =>
  address.includes(':') ? { family: 'inet6', address, port: 80 } : { family: 'inet', address, port: 80 }
function sorted(...addresses: string[]): string[] {
  const before = openDescriptors()
  const order = byPreference(addresses.map(at)).map(({ address }) => address)
  expect(openDescriptors()).toBe(before)
  return order
}

describe('addresses are put in order by their sources', () => {
  it.skipIf(lackingIpv6)('across families', () => {
    expect(sorted('127.0.0.2', '127.0.0.1', '::1')).toEqual(['::1', '127.0.0.2', '127.0.0.1'])
  })

  it('but one alone needs none', () => {
    expect(sorted('127.0.0.1')).toEqual(['127.0.0.1'])
    expect(binding.callsSeen('socket')).toBe(0)
  })

  it.each([
    ['socket', 'EAFNOSUPPORT'],
    ['socket', 'EACCES'],
    ['connect', 'ENETUNREACH'],
    ['connect', 'EHOSTUNREACH'],
    ['connect', 'EADDRNOTAVAIL'],
    ['connect', 'EPERM'],
    ['getsockname', 'ENOTCONN'],
  ] as const)('one that has none comes last: %s, %s', (call, code) => {
    binding.inject(call, 1, constants.errno[code], 0)
    expect(sorted('127.0.0.3', '127.0.0.2', '127.0.0.1')).toEqual(['127.0.0.2', '127.0.0.1', '127.0.0.3'])
  })

  it.skipIf(lackingIpv6).each([
    ['socket', 'EMFILE'],
    ['socket', 'ENFILE'],
    ['connect', 'ENOBUFS'],
    ['connect', 'EAGAIN'],
    ['getsockname', 'ENOMEM'],
  ] as const)('and stay as they are where this machine cannot tell: %s, %s', (call, code) => {
    binding.inject(call, 2, constants.errno[code], 0)
    expect(sorted('127.0.0.1', '::1')).toEqual(['127.0.0.1', '::1'])
  })
})

describe('a race', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-sources-'))
  const hostsPath = join(directory, 'hosts')
  writeFileSync(hostsPath, '127.0.0.1 two.test\n127.0.0.2 two.test\n')
  const resolver = new Resolver({ hostsPath })
  const engine = new BlockingEngine({ lanes: 2 })
  afterAll(async () => {
    resolver.close()
    await engine.close()
    rmSync(directory, { recursive: true })
  })

  // The first connect(2) is the first address's: the one that asks for its source, or the attempt itself.
  it.each([
    ['starts with the most preferred', {}, ['127.0.0.2']],
    ['keeps the caller’s own order', { lookup: async () => ['127.0.0.1', '127.0.0.2'] }, ['127.0.0.1', '127.0.0.2']],
  ])('%s', async (_, options, addresses) => {
    const { port } = inetName(sockets.listener('inet', { address: inet(0, '127.0.0.2') }))
    const told = listen()
    binding.inject('connect', 1, constants.errno.ENETUNREACH, 0)
    const { claim } = await establish(callOver(`two.test:${port}`, engine, resolver, options))
    claim.close()
    told.stop()
    expect(told.of('attempt:start').map(({ endpoint }) => endpoint)).toEqual(
      addresses.map((address) => `${address}:${port}`),
    )
  })
})

const refused = refusalOfNamespace('-Urnm')
const skipped = refused && `, skipped: ${refused}`

it.skipIf(refused)(`no attempt is wasted on IPv6 where there is no way to it${skipped}`, { timeout: 60_000 }, () => {
  const straight = { status: 'up', address: '127.0.0.1', attempts: 1 }
  expect(answerInNamespace('-Urnm', 'sources-namespace')).toEqual(
    Object.fromEntries(engines.map((engine) => [engine, straight])),
  )
})
