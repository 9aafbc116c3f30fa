import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { ConnectError, type ConnectionManager, type ConnectOptions } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { establish } from '#internal/call/connect'
import { BlockingEngine } from '#internal/engines/blocking'
import { NonblockingEngine } from '#internal/engines/nonblocking'
import { Resolver } from '#internal/names/resolver'
import { callOver } from '../support/call.js'
import { atSettlement, expectAbort } from '../support/cancelled.js'
import { held, openDescriptors } from '../support/counts.js'
import { NameServer, typeA, typeAaaa, v4, type Zone } from '../support/dns-server.js'
import { listen } from '../support/events.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { randomFrom } from '../support/random.js'
import { lackingIpv6, Sockets } from '../support/sockets.mjs'
import { openStage, type Stage } from '../support/stage.js'
import { engines, warmManager } from '../support/warm-up.js'

/** `CANCELPOINT_SEED=n` repeats a run's choices. */
const seed = Number(process.env.CANCELPOINT_SEED ?? (Math.random() * 2 ** 31) | 0)
const races = process.env.CANCELPOINT_FULL === '1' ? 2_000 : 200

const sockets = new Sockets()
let stage: Stage

beforeAll(async () => {
  stage = await openStage(sockets)
})
afterAll(() => sockets.close())
beforeEach(countCalls)
afterEach(() => binding.clearFaults())

let told: ReturnType<typeof listen>
beforeEach(() => {
  told = listen()
})
afterEach(() => told.stop())
/** Addresses of attempts in the order in which they were handed to their engine. */
const started = () => told.of('attempt:start').map(({ endpoint }) => String(endpoint).replace(/:\d+$/, ''))

let names = 0
/** A name that nobody has connected to, and what it resolves to. */
function naming(...addresses: string[]): [target: string, options: ConnectOptions] {
  names += 1
  return [`name-${names}.test:${stage.port}`, { lookup: async () => addresses }]
}

function v6Loopback(): number[] {
  return [...Array(15).fill(0), 1]
}

describe.each(engines)('%s engine', (name) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(`${stage.accept[0]}:${stage.port}`, { engine: name })
  })
  afterAll(() => manager.close())

  describe('a race', () => {
    it('is won by the address that accepts beside one that hangs, which has let go by then', async () => {
      const before = held()
      const controller = new AbortController()
      const [target, options] = naming(stage.hang[0]!, stage.accept[0]!)
      const call = manager.open(target, { ...options, signal: controller.signal })
      const { value, ...after } = await atSettlement(call, controller.signal)
      expect(after).toEqual({
        error: undefined,
        held: { ...before, open: before.open + 1, descriptors: before.descriptors + 1 },
        listeners: 0,
      })
      expect(started()).toEqual([stage.hang[0], stage.accept[0]])
      value!.close()
      expect(held()).toEqual(before)
    })

    it('tries nobody beside one that accepts', async () => {
      const [target, options] = naming(stage.accept[1]!, stage.hang[0]!, stage.accept[0]!)
      const descriptor = await manager.open(target, options)
      await wait(300)
      expect(started()).toEqual([stage.accept[1]])
      descriptor.close()
    })

    it.skipIf(lackingIpv6)('takes families in turn', async () => {
      const [target, options] = naming(stage.refuse[0]!, stage.refuse[1]!, '::1')
      ;(await manager.open(target, options)).close()
      expect(started()).toEqual([stage.refuse[0], '[::1]'])
    })

    it('that all lose by refusal goes on at once each time, and tells all', async () => {
      const before = held()
      const [target, options] = naming(...stage.refuse)
      const error = (await manager.open(target, options).catch((error) => error)) as ConnectError
      expect(held()).toEqual(before)
      expect(error).toBeInstanceOf(ConnectError)
      expect(error.errors).toMatchObject(stage.refuse.map((address) => ({ code: 'ECONNREFUSED', address })))
      expect(error.attempts).toMatchObject(
        stage.refuse.map((address) => ({ endpoint: `${address}:${stage.port}`, code: 'ECONNREFUSED' })),
      )
    })

    it('that all lose by silence tells all, attempts side by side', async () => {
      const before = held()
      const [target, options] = naming(...stage.hang)
      const call = manager.open(target, { ...options, attemptTimeoutMs: 600 })
      await blockedInConnect(2)
      const error = (await call.catch((error) => error)) as ConnectError
      expect(held()).toEqual(before)
      expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline' })
      expect(error.message).toMatch(/: no answer within 600 ms; check that the host is up/)
      expect(error.errors).toMatchObject(stage.hang.map((address) => ({ code: 'ETIMEDOUT', address })))
    })

    it('tells its attempts in the order of their starts, whatever ended first', async () => {
      const [target, options] = naming(stage.hang[0]!, stage.refuse[0]!)
      const error = (await manager
        .open(target, { ...options, attemptTimeoutMs: 600 })
        .catch((error) => error)) as ConnectError
      expect(error.attempts.map(({ endpoint, code }) => [endpoint, code])).toEqual([
        [`${stage.hang[0]}:${stage.port}`, 'ETIMEDOUT'],
        [`${stage.refuse[0]}:${stage.port}`, 'ECONNREFUSED'],
      ])
    })

    it('remembers the address that was found by passing over others', async () => {
      const [target, options] = naming(stage.refuse[0]!, stage.accept[0]!)
      for (let i = 0; i < 2; i += 1)
        (await manager.open(target, options)).close()
        // A lookup that no longer has it is followed.
      ;(await manager.open(target, { lookup: async () => [stage.accept[1]!] })).close()
      expect(started()).toEqual([stage.refuse[0], stage.accept[0], stage.accept[0], stage.accept[1]])
    })

    it('is part of a check, whose time is the winner’s', async () => {
      const before = held()
      const [target, options] = naming(stage.hang[0]!, stage.accept[0]!)
      for await (const result of manager.check([target], options))
        expect(result).toMatchObject({ status: 'up', address: stage.accept[0], attempts: 2 })
      expect(started()).toEqual([stage.hang[0], stage.accept[0]])
      expect(held()).toEqual(before)
    })

    it('goes at the check’s rate, side by side or not', async () => {
      const [target, options] = naming(stage.hang[0]!, stage.accept[0]!)
      const since = performance.now()
      for await (const { status } of manager.check([target], { ...options, ratePerSecond: 2 }))
        expect(status).toBe('up')
      const second = told.heard.filter(({ channel }) => channel === 'attempt:start')[1]
      expect(second!.at - since).toBeGreaterThanOrEqual(500)
    })

    it('waits while this machine is out of descriptors, and is told nothing of it', async () => {
      binding.inject('socket', 1, 24, 0)
      const [target, options] = naming(stage.accept[0]!, stage.accept[1]!)
      ;(await manager.open(target, options)).close()
      expect(started().slice(0, 2)).toEqual([stage.accept[0], stage.accept[0]])
    })
  })

  describe('a race that is cancelled', () => {
    it('in the middle has released everything in the microtask of its rejection', async () => {
      const before = held()
      const controller = new AbortController()
      const { signal } = controller
      const [target, options] = naming(...stage.hang, stage.accept[0]!)
      const settled = atSettlement(manager.open(target, { ...options, signal }), signal)
      await blockedInConnect(2)
      expect(held()).toEqual({ open: before.open + 2, descriptors: 2, buffers: 2, attempts: 2 })
      controller.abort(new Error('why'))
      expectAbort(await settled, signal, before)
      await wait(300)
      expect(started()).toEqual(stage.hang)
    })

    it('while its names are looked up tells the lookup, and waits for nobody', async () => {
      const before = held()
      const controller = new AbortController()
      let lookupSignal: AbortSignal | undefined
      const lookup: ConnectOptions['lookup'] = (_, options) => {
        lookupSignal = options.signal
        return new Promise(() => {})
      }
      const settled = atSettlement(manager.open('a.test:1', { lookup, signal: controller.signal }), controller.signal)
      await wait(10)
      controller.abort()
      expectAbort(await settled, controller.signal, before)
      expect(lookupSignal!.aborted).toBe(true)
    })

    it('by its deadline has released everything as well', async () => {
      const before = held()
      const [target, options] = naming(...stage.hang)
      const call = manager.open(target, { ...options, timeoutMs: 400 })
      await expect(call).rejects.toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline', errnoClass: 'timed-out' })
      expect(held()).toEqual(before)
    })

    it('by what the caller passed in: a source address that is none', async () => {
      const before = held()
      const [target, options] = naming(stage.accept[0]!)
      await expect(manager.open(target, { ...options, localAddress: 'nowhere' })).rejects.toThrow(TypeError)
      expect(held()).toEqual(before)
    })
  })

  describe('a block list', () => {
    it('is asked again before each attempt', async () => {
      const blockList = new net.BlockList()
      const [target, options] = naming(stage.hang[0]!, stage.accept[0]!)
      const call = manager.open(target, { ...options, blockList, attemptTimeoutMs: 500 })
      await blockedInConnect(1)
      blockList.addAddress(stage.accept[0]!)
      const error = (await call.catch((error) => error)) as ConnectError
      expect(error.errors).toMatchObject([{ code: 'ERR_BLOCKED' }, { code: 'ETIMEDOUT' }])
      expect(started()).toEqual([stage.hang[0]])
    })

    it('cannot be passed by a name that resolves to something else the second time', async () => {
      const blockList = new net.BlockList()
      blockList.addAddress(stage.accept[0]!)
      const answers = [[stage.refuse[0]!], [stage.accept[0]!], [stage.accept[1]!, stage.accept[0]!]]
      const lookup = async () => answers.shift()!
      const options = { lookup, blockList, retry: { tries: 3, baseMs: 1 } }
      await expect(manager.open(`rebound.test:${stage.port}`, options)).rejects.toMatchObject({ code: 'ERR_BLOCKED' })
      expect(started()).toEqual([stage.refuse[0]])
    })
  })

  describe('answers that come as they please', () => {
    const zone: Zone = {
      'late6.test': { [typeA]: [[127, 0, 9, 1]], [typeAaaa]: [v6Loopback()], afterMs: { [typeAaaa]: 20 } },
      'mute6.test': { [typeA]: [[127, 0, 9, 1]], [typeAaaa]: 'silence' },
      'joins.test': { [typeA]: [[127, 0, 9, 3]], [typeAaaa]: [v6Loopback()], afterMs: { [typeAaaa]: 120 } },
      'half.test': { [typeA]: [[127, 0, 9, 5]], [typeAaaa]: 2 },
      'gone.test': { [typeA]: [v4(1)], [typeAaaa]: 'silence' },
    }
    const lanes = new BlockingEngine({ lanes: 4 })
    const engine = name === 'blocking' ? lanes : new NonblockingEngine({ lanes: () => lanes })
    let server: NameServer
    let resolver: Resolver
    beforeAll(async () => {
      server = await NameServer.open(zone)
      resolver = new Resolver({ servers: server.servers, hostsPath: '/dev/null', resolvConfPath: '/dev/null' })
      await connect('mute6.test').then(({ claim }) => claim.close())
    })
    afterAll(async () => {
      resolver.close()
      await engine.close()
      await lanes.close()
      await server[Symbol.asyncDispose]()
    })

    const connect = async (name: string, options?: Parameters<typeof callOver>[3]) => {
      const call = callOver(`${name}:${stage.port}`, engine, resolver, options)
      return establish(call)
    }

    it.skipIf(lackingIpv6).each([
      ['late6.test', '::1', ['[::1]']],
      ['joins.test', '::1', ['127.0.9.3', '[::1]']],
    ])('%s is reached at %s', async (name, address, attempts) => {
      const { claim, endpoint } = await connect(name)
      claim.close()
      expect(endpoint).toMatchObject({ address })
      expect(started()).toEqual(attempts)
    })

    it('a family that never answers is not waited for; nor is its query left open', async () => {
      const before = openDescriptors()
      const { claim } = await connect('mute6.test')
      claim.close()
      expect(openDescriptors()).toBe(before)
      expect(started()).toEqual(['127.0.9.1'])
    })

    it('the reason of a family that could not be asked is told with the others', async () => {
      const error = (await connect('half.test').catch((error) => error)) as ConnectError
      expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.9.5' })
      expect(error.errors).toMatchObject([{ code: 'EAI_AGAIN', hostname: 'half.test' }, { code: 'ECONNREFUSED' }])
    })

    it('cancelled while one family is awaited and the other connects: all is released', async () => {
      const before = held()
      const controller = new AbortController()
      const { signal } = controller
      zone['gone.test'] = { [typeA]: [[127, 0, 9, 3]], [typeAaaa]: 'silence' }
      const settled = atSettlement(connect('gone.test', { signal }), signal)
      await blockedInConnect(1)
      controller.abort(new Error('why'))
      expectAbort(await settled, signal, before)
    })
  })

  describe('random races', () => {
    it(`leave nothing: ${races} with seed ${seed}`, { timeout: 120_000 }, async () => {
      console.log(`CANCELPOINT_SEED=${seed}`)
      const before = held()
      const random = randomFrom(seed)
      // A few reactors make all the calls that lanes share.
      binding.jitter(seed, name === 'blocking' ? 400 : 10)
      const became: Record<string, number> = {}
      const atOnce = 50
      for (let done = 0; done < races; done += atOnce) {
        const outcomes = await Promise.all(Array.from({ length: atOnce }, () => randomRace(manager, random)))
        for (const outcome of outcomes) became[outcome] = (became[outcome] ?? 0) + 1
        expect(held(), `after ${done + atOnce}`).toEqual(before)
      }
      console.log(`${races} races became ${JSON.stringify(became)}`)
      expect(Object.keys(became)).toEqual(expect.arrayContaining(['connected', 'ABORT_ERR']))
    })
  })
})

/** One to four addresses of any kind, one call in two aborted at a random moment. */
async function randomRace(manager: ConnectionManager, random: () => number): Promise<string> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const { hang, accept, refuse, accept6 } = stage
  const all = [...hang, ...accept, ...refuse, ...(accept6 ? [accept6] : [])]
  const [target, options] = naming(...Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(all)))
  const controller = new AbortController()
  const call = manager.open(target, { ...options, signal: controller.signal, attemptTimeoutMs: 500 })
  const timer = random() < 0.5 ? setTimeout(() => controller.abort(), random() * (random() < 0.5 ? 5 : 600)) : undefined
  try {
    ;(await call).close()
    return 'connected'
  } catch (error) {
    return (error as ConnectError).code
  } finally {
    clearTimeout(timer)
  }
}
