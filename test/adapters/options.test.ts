/** What the Agent and the connector take besides their clients' own options, and what they refuse. */
import http from 'node:http'
import { BlockList } from 'node:net'
import type { ConnectOptions } from 'cancelpoint'
import { ConnectionManager } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { connector } from 'cancelpoint/undici'
import got from 'got'
import { Agent as UndiciAgent } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { listenersOn } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

const targets = useStations()

type Options = Pick<
  ConnectOptions,
  'signal' | 'timeoutMs' | 'attemptTimeoutMs' | 'engine' | 'retry' | 'blockList' | 'localAddress'
> & { manager?: ConnectionManager }

/** The error of a request to `target` that a client makes with these options. */
const clients: Record<string, (target: string, options: Options) => Promise<unknown>> = {
  'http, by the Agent': (target, options) => {
    const agent = new Agent(options)
    return new Promise((resolve) => {
      http.get(`http://${target}`, { agent }).on('error', resolve)
    })
  },
  'got, by the Agent': (target, options) => {
    const client = got.extend({ agent: { http: new Agent(options) }, retry: { limit: 0 } })
    return client(`http://${target}`).catch((error) => error.cause)
  },
  'undici, by the connector': async (target, options) => {
    const agent = new UndiciAgent({ connect: connector(options) })
    const end = await agent.request({ origin: `http://${target}`, path: '/', method: 'GET' }).catch((error) => error)
    await agent.destroy()
    return end
  },
}

afterEach(() => binding.clearFaults())

describe.each(Object.entries(clients))('%s', (_, failureOf) => {
  describe.each(engines)('%s engine', (engine) => {
    it('takes the engine', async () => {
      const error = await failureOf(targets.refuse, { engine, retry: false })
      expect(error).toMatchObject({ code: 'ECONNREFUSED', attempts: [{ engine }] })
    })

    it('takes timeoutMs', async () => {
      const error = await failureOf(targets.hang, { engine, timeoutMs: 50 })
      expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline', attempts: [{ engine }] })
    })

    it('takes attemptTimeoutMs and retry', async () => {
      const error = await failureOf(targets.hang, { engine, attemptTimeoutMs: 30, retry: { tries: 2, baseMs: 1 } })
      expect(error).toMatchObject({ code: 'ETIMEDOUT', attempts: [{ engine }, { engine }] })
    })

    it('takes a blockList, and connects to nothing on it', async () => {
      countCalls()
      const blockList = new BlockList()
      blockList.addSubnet('127.0.0.0', 8)
      const error = await failureOf(targets.accept, { engine, blockList })
      expect(error).toMatchObject({ code: 'ERR_BLOCKED', errnoClass: 'denied' })
      expect(binding.callsSeen('connect')).toBe(0)
    })

    it('takes a signal, which ends its connects', async () => {
      countCalls()
      const controller = new AbortController()
      const end = failureOf(targets.hang, { engine, signal: controller.signal })
      await blockedInConnect()
      controller.abort(new Error('shutting down'))
      expect(await end).toMatchObject({ code: 'ABORT_ERR', cause: { message: 'shutting down' } })
      expect(listenersOn(controller.signal)).toBe(0)
    })
  })

  it('takes a localAddress', async () => {
    // Not of this machine: the connect is refused for what it is bound to.
    const error = await failureOf(targets.accept, { localAddress: '192.0.2.1', retry: false })
    expect(error).toMatchObject({ syscall: 'bind', code: 'EADDRNOTAVAIL' })
  })

  describe('over a manager', () => {
    let manager: ConnectionManager
    beforeAll(() => {
      manager = new ConnectionManager({ engine: 'blocking', retry: false, timeoutMs: 60_000 })
    })
    afterAll(() => manager.close())

    it('goes by its options where it has none of its own', async () => {
      const error = await failureOf(targets.hang, { manager, timeoutMs: 50 })
      expect(error).toMatchObject({ timedOutBy: 'deadline', attempts: [{ engine: 'blocking' }] })
    })
  })
})

describe('what cannot be meant is refused at once', () => {
  const wrong: [unknown, RegExp][] = [
    [null, /^options is null: expected an object/],
    [5, /^options is 5: expected an object/],
    ['x', /^options is 'x': expected an object/],
    [{ manager: 5 }, /^manager is 5: expected a ConnectionManager/],
    [{ manager: null }, /^manager is null: expected a ConnectionManager/],
    [{ signal: 5 }, /^signal is 5: expected an AbortSignal/],
    [{ timeoutMs: 0 }, /^timeoutMs is 0: expected milliseconds above 0/],
    [{ attemptTimeoutMs: -1 }, /^attemptTimeoutMs is -1: expected milliseconds above 0/],
    [{ engine: 'x' }, /^engine is 'x': expected 'blocking'/],
    [{ retry: 5 }, /^retry is 5: expected false or an object/],
    [{ blockList: [] }, /^blockList is .*: expected a net.BlockList/],
    [{ localAddress: 'here' }, /^localAddress is 'here': expected a numeric/],
    [{ lookup: 5 }, /^lookup is 5: expected a function/],
    [{ tls: 5 }, /^tls is /],
    [{ timeoutMS: 5 }, /^options has 'timeoutMS': did you mean timeoutMs\?$/],
    [{ blocklist: [] }, /^options has 'blocklist': did you mean blockList\?$/],
    [{ managr: 5 }, /^options has 'managr': did you mean manager\?$/],
  ]

  it.each(wrong)('by the Agent: %j', (options, message) => {
    expect(() => new Agent(options as never)).toThrow(message)
  })

  it.each(wrong)('by the connector: %j', (options, message) => {
    expect(() => connector(options as never)).toThrow(message)
  })

  it('by the Agent: TLS options in a tls of their own', () => {
    expect(() => new Agent({ tls: { ca: '' } } as never)).toThrow(/^tls is not for an Agent: .* as to https.Agent/)
  })

  it('by the connector: a tls that is no options', () => {
    expect(() => connector({ tls: false } as never)).toThrow(/^tls is false: expected an object/)
  })

  it.each([
    [{ maxCachedSessions: -1 }, /^maxCachedSessions is -1: expected a whole number/],
    [{ allowH2: 1 }, /^allowH2 is 1: expected true or false/],
    [{ socketPath: 5 }, /^socketPath is 5: expected a path/],
  ])('by the connector: %j', (options, message) => {
    expect(() => connector(options as never)).toThrow(message)
  })

  it('and what is undici’s own passes by the connector', () => {
    expect(() => connector({ timeout: 5, ca: '', allowHalfOpen: true, family: 4, maxCachedSessions: 0 })).not.toThrow()
  })

  it('and what is Node’s own passes by the Agent', () => {
    expect(() => new Agent({ timeout: 5, keepAliveMsecs: 5, ca: '', family: 4 })).not.toThrow()
  })

  it.each([
    [null, /^options is null/],
    [{ signal: 5 }, /^signal is 5: expected an AbortSignal/],
    [{ abortSignal: 5 }, /^options has 'abortSignal': here it is signal$/],
  ])('by the interceptor: %j', (options, message) => {
    expect(() => connector().cancelling(options as never)).toThrow(message)
  })
})
