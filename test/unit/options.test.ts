import { BlockList } from 'node:net'
import { runInNewContext } from 'node:vm'
import type { CheckOptions, ConnectOptions, ManagerOptions } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import {
  requireIterable,
  requireNoSlips,
  settledCheckOptions,
  settledConnectOptions,
  settledManagerOptions,
} from '#internal/options'

const method = () => {}
const signal = { aborted: false, addEventListener: method, removeEventListener: method }

const ofCheck = (options: unknown) =>
  ['concurrency', 'ratePerSecond', 'perHost', 'halfOpen'].some((name) => Object.hasOwn(Object(options), name))

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
    expect(() => settledCheckOptions(options as CheckOptions)).toThrow(refusal)
    if (ofCheck(options)) return
    expect(() => settledConnectOptions(options as ConnectOptions)).toThrow(refusal)
    expect(() => settledManagerOptions(options as ManagerOptions)).toThrow(refusal)
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
    ['what is inherited', Object.create({ signal: 5, timeout: 5 })],
  ])('%s is taken', (_, options) => {
    expect(settledConnectOptions(options)).toEqual({ ...options })
  })

  it.each<[(options: never) => unknown, object, string]>([
    [settledConnectOptions, { timeout: 5 }, "options has 'timeout': here it is timeoutMs"],
    [settledConnectOptions, { timeout: undefined }, "options has 'timeout': here it is timeoutMs"],
    [settledConnectOptions, { connectTimeout: 5 }, "options has 'connectTimeout': here it is timeoutMs"],
    [settledConnectOptions, { timeoutMS: 5 }, "options has 'timeoutMS': did you mean timeoutMs?"],
    [settledConnectOptions, { timuotMs: 5 }, "options has 'timuotMs': did you mean timeoutMs?"],
    [settledConnectOptions, { abortSignal: 5 }, "options has 'abortSignal': here it is signal"],
    [settledConnectOptions, { retries: 5 }, "options has 'retries': here it is retry: { tries }"],
    [settledConnectOptions, { blocklist: 5 }, "options has 'blocklist': did you mean blockList?"],
    [settledConnectOptions, { rejectUnauthorized: false }, 'give it in tls'],
    [settledConnectOptions, { hostname: 'a' }, 'the target says it'],
    [settledConnectOptions, { autoSelectFamily: true }, 'always raced'],
    [settledConnectOptions, { concurrency: 5 }, "options has 'concurrency': it is an option of check()"],
    [settledConnectOptions, { lanes: 5 }, 'it is an option of new ConnectionManager()'],
    [settledConnectOptions, { toString: 5 }, "options has 'toString': expected one of signal, timeoutMs"],
    [settledConnectOptions, { constructor: 5 }, "options has 'constructor': expected one of"],
    [settledConnectOptions, { ['x'.repeat(1_000_000)]: 5 }, "options has 'xxx"],
    [settledConnectOptions, { '\u009b': 5 }, "options has '\\u009b'"],
    [settledConnectOptions, JSON.parse('{"__proto__":{"timeoutMs":5}}'), "options has '__proto__': expected one of"],
    [settledCheckOptions, { concurency: 5 }, "options has 'concurency': did you mean concurrency?"],
    [settledCheckOptions, { rate: 5 }, "options has 'rate': here it is ratePerSecond"],
    [settledCheckOptions, { halfopen: true }, "options has 'halfopen': did you mean halfOpen?"],
    [settledCheckOptions, { maxInFlight: 5 }, "options has 'maxInFlight': here it is concurrency"],
    [settledManagerOptions, { ratePerSecond: 5 }, "options has 'ratePerSecond': here it is rate"],
    [settledManagerOptions, { concurrency: 5 }, "options has 'concurrency': here it is maxInFlight"],
    [settledManagerOptions, { lane: 5 }, "options has 'lane': did you mean lanes?"],
    [settledManagerOptions, { halfOpen: true }, "options has 'halfOpen': it is an option of check()"],
  ])('%o refuses %j and says what to write', (settle, options, message) => {
    let error: unknown
    try {
      settle(options as never)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain(message)
  })

  it('is read once, and what throws then is one clear rejection', () => {
    let reads = 0
    const options = {
      get timeoutMs() {
        reads += 1
        return 5
      },
      retry: { tries: 2, errnos: { ECONNREFUSED: { tries: 3 } }, classes: { refused: false as const } },
    }
    const settled = settledConnectOptions(options)
    expect(settled.timeoutMs! + settled.timeoutMs!).toBe(10)
    expect(reads).toBe(1)
    expect(settled).toEqual({ timeoutMs: 5, retry: options.retry })
    options.retry.errnos.ECONNREFUSED.tries = 9
    expect(settled.retry).toMatchObject({ errnos: { ECONNREFUSED: { tries: 3 } } })

    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const throwing = Object.defineProperty({}, 'tries', {
      enumerable: true,
      get: () => {
        throw new Error('no \u009b')
      },
    })
    const { proxy } = revoked
    const wrong: object[] = [proxy, throwing, { signal: proxy }, { retry: proxy }, { tls: proxy }, { blockList: proxy }]
    wrong.push(
      { retry: throwing },
      { retry: { errnos: proxy } },
      { retry: { errnos: { EIO: throwing } } },
      { tls: throwing },
    )
    for (const each of wrong) {
      const call = () => settledConnectOptions(each as ConnectOptions)
      expect(call).toThrow(TypeError)
      expect(call).toThrow(/cannot be read.*: expected/)
      expect(call).not.toThrow('\u009b')
    }
  })
})

describe('the options of a client of Node’s', () => {
  it.each(['timeout', 'keepAliveMsecs', 'family', 'ca', 'autoSelectFamily', 'maxSockets', 'anything'])(
    'pass: %s',
    (name) => {
      expect(() => requireNoSlips({ [name]: 5 }, ['manager'])).not.toThrow()
    },
  )

  it.each([
    ['timeoutMS', 'timeoutMs'],
    ['attemptTimeout', 'attemptTimeoutMs'],
    ['blocklist', 'blockList'],
    ['engin', 'engine'],
    ['manger', 'manager'],
  ])('are not slips in ours: %s', (name, meant) => {
    expect(() => requireNoSlips({ [name]: 5 }, ['manager'])).toThrow(`options has '${name}': did you mean ${meant}?`)
  })
})

describe('what a manager is given', () => {
  it.each<[unknown, string]>([
    [{ lanes: 0 }, 'lanes is 0: expected a whole number from 1 to'],
    [{ maxInFlight: 1.5 }, 'maxInFlight is 1.5: expected a whole number from 1 to'],
    [{ rate: '5/s' }, "rate is '5/s': expected a number a second above 0"],
    [{ seed: Number.NaN }, 'seed is NaN: expected a number'],
  ])('%j is refused by name', (options, message) => {
    expect(() => settledManagerOptions(options as ManagerOptions)).toThrow(message)
  })
})

describe('targets', () => {
  it.each([['letters'], [null], [5], [{}]])('%j are no list of them', (targets) => {
    expect(() => requireIterable(targets)).toThrow(/^targets is .*: expected an iterable of targets/)
  })
})
