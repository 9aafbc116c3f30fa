import { BlockList } from 'node:net'
import { runInNewContext } from 'node:vm'
import type { ConnectOptions, ManagerOptions } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { requireIterable, requireManagerOptions, requireOptions, withDefaults } from '#internal/options'

const method = () => {}
const signal = { aborted: false, addEventListener: method, removeEventListener: method }

describe('what a call is given', () => {
  it.each<[unknown, string]>([
    [null, 'options is null: expected an object such as { timeoutMs: 5_000 }'],
    [5, 'options is 5'],
    ['x', "options is 'x'"],
    [[], 'options is []'],
    [{ signal: 5 }, 'signal is 5: expected an AbortSignal'],
    [{ signal: null }, 'signal is null'],
    [{ signal: {} }, 'signal is {}'],
    [{ signal: { ...signal, aborted: undefined } }, 'signal is {}'],
    [{ signal: { ...signal, removeEventListener: undefined } }, 'signal is {"aborted":false}'],
    [{ signal: { ...signal, addEventListener: 5 } }, 'signal is {"aborted":false,"addEventListener":5}'],
    [{ timeoutMs: null }, 'timeoutMs is null: expected milliseconds above 0, or Infinity for no limit'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs is NaN'],
    [{ attemptTimeoutMs: [5] }, 'attemptTimeoutMs is [5]'],
    [{ engine: 'fast' }, "engine is 'fast': expected 'blocking', 'nonblocking' or 'auto'"],
    [{ retry: 3 }, 'retry is 3: expected false or an object'],
    [{ localAddress: 'here' }, "localAddress is 'here': expected a numeric IPv4 or IPv6 address"],
    [{ localPort: 65_536 }, 'localPort is 65536: expected a whole number from 0 to 65535'],
    [{ blockList: [] }, 'blockList is []: expected a net.BlockList'],
    [{ blockList: { check: true } }, 'blockList is {"check":true}'],
    [{ lookup: { call: 'me' } }, 'lookup is {"call":"me"}: expected a function'],
    [{ tls: 5 }, 'tls is 5: expected true, false or an object'],
    [{ tls: 'x' }, "tls is 'x'"],
    [{ tls: [] }, 'tls is []'],
    [{ tls: null }, 'tls is null'],
    [{ concurrency: null }, 'concurrency is null: expected a whole number from 1 to'],
    [{ ratePerSecond: Number.POSITIVE_INFINITY }, 'ratePerSecond is Infinity: expected a number a second above 0'],
    [{ perHost: '1' }, "perHost is '1': expected a whole number from 1 to"],
    [{ halfOpen: true, tls: {} }, 'halfOpen and tls exclude each other'],
  ])('%j is refused by name', (options, message) => {
    const refusal = expect.objectContaining({ message: expect.stringContaining(message) })
    expect(() => requireOptions(options as ConnectOptions)).toThrow(refusal)
    expect(() => requireManagerOptions(options as ManagerOptions)).toThrow(refusal)
  })

  it.each<[string, ConnectOptions]>([
    ['nothing', {}],
    ['what is undefined', { signal: undefined, timeoutMs: undefined, retry: undefined, tls: undefined }],
    ['a signal of another realm', { signal: runInNewContext('({ ...signal })', { signal }) }],
    ['a block list and a lookup', { blockList: new BlockList(), lookup: async () => [] }],
    ['no limits', { timeoutMs: Number.POSITIVE_INFINITY, attemptTimeoutMs: 0.5 }],
    ['a source', { localAddress: 'fe80::1%2', localPort: 0 }],
    ['TLS', { tls: { rejectUnauthorized: false } }],
    ['no TLS', { tls: false, retry: false }],
    ['what is somebody else’s', { toString: 5, __proto__: { signal: 5 } } as never],
  ])('%s is taken', (_, options) => {
    expect(() => requireOptions(options)).not.toThrow()
  })
})

describe('what a manager is given', () => {
  it.each<[unknown, string]>([
    [{ lanes: 0 }, 'lanes is 0: expected a whole number from 1 to'],
    [{ maxInFlight: 1.5 }, 'maxInFlight is 1.5: expected a whole number from 1 to'],
    [{ rate: '5/s' }, "rate is '5/s': expected a number a second above 0"],
    [{ seed: Number.NaN }, 'seed is NaN: expected a number'],
  ])('%j is refused by name', (options, message) => {
    expect(() => requireManagerOptions(options as ManagerOptions)).toThrow(message)
  })
})

describe('targets', () => {
  it.each([['letters'], [null], [5], [{}]])('%j are no list of them', (targets) => {
    expect(() => requireIterable(targets)).toThrow(/^targets is .*: expected an iterable of targets/)
  })
})

describe('defaults', () => {
  it('stand where an option is undefined, and are not changed', () => {
    const defaults = { timeoutMs: 5, noDelay: true }
    expect(withDefaults(defaults, { timeoutMs: undefined, noDelay: false })).toEqual({ timeoutMs: 5, noDelay: false })
    expect(defaults).toEqual({ timeoutMs: 5, noDelay: true })
  })
})
