/** What the nonblocking engine has that the tables of both engines do not: its one thread, its way to a lane, and its choice. */
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectError, ConnectionManager, ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import type { NativeRequest, Outcome } from '#internal/bridge/registry'
import { encodeEndpoint } from '#internal/core/sockaddr'
import type { Attempt, Engine } from '#internal/engines/engine'
import { NonblockingEngine } from '#internal/engines/nonblocking'
import { bindAbstract, listenFull, serve } from '#internal/lab/loopback'
import { held, nothingLeft, threads } from '../support/counts.js'
import { listen } from '../support/events.js'
import { blockedInConnect, callsMade, countCalls } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

const targets = useStations()
afterEach(() => binding.clearFaults())

function manage(...[options]: ConstructorParameters<typeof ConnectionManager>): ConnectionManager {
  const manager = new ConnectionManager({ engine: 'nonblocking', retry: false, ...options })
  onTestFinished(() => manager.close())
  return manager
}

describe('its threads', () => {
  // The first of this process: nothing has started anything yet.
  it('are one for all managers, which the last to close ends; no worker, no lane', async () => {
    const before = threads()
    const [one, other, unused] = [manage(), manage(), manage()]
    expect(threads()).toBe(before)
    for (const manager of [one, other]) {
      await closeSocket(await manager.connect(targets.accept))
      await expect(manager.connect(targets.refuse)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      for await (const { status } of manager.check([targets.accept])) expect(status).toBe('up')
      expect(threads()).toBe(before + 1)
    }
    countCalls()
    const call = other.connect(targets.hang).catch((error) => error.code)
    await blockedInConnect()
    await one.close()
    await unused.close()
    expect(threads()).toBe(before + 1)
    expect(ledger()).toEqual({ descriptors: 1, buffers: 1, lanes: 0, attempts: 1 })
    await other.close()
    expect(await call).toBe('ABORT_ERR')
    expect(threads()).toBe(before)
    expect(ledger()).toEqual(nothingLeft)
    // And is started again for whoever comes next.
    await closeSocket(await manage().connect(targets.accept))
    expect(threads()).toBe(before + 1)
  })
})

describe('the choice of engine', () => {
  it('is the nonblocking one unless told otherwise, by the manager or by the call', async () => {
    const manager = manage({ engine: undefined })
    const engineOf = async (call: Promise<unknown>) => {
      const { attempts } = (await call.catch((error) => error)) as ConnectError
      return attempts.map(({ engine }) => engine)
    }
    expect(await engineOf(manager.connect(targets.refuse))).toEqual(['nonblocking'])
    expect(await engineOf(manager.connect(targets.refuse, { engine: 'auto' }))).toEqual(['nonblocking'])
    expect(await engineOf(manager.connect(targets.refuse, { engine: 'blocking' }))).toEqual(['blocking'])
    expect(await engineOf(manage({ engine: 'blocking' }).connect(targets.refuse, { engine: 'auto' }))).toEqual([
      'nonblocking',
    ])
  })

  it('is each call’s: both work side by side in one manager, counted apart, and end by one signal', async () => {
    const manager = manage({ maxInFlight: 8 })
    const controller = new AbortController()
    const { signal } = controller
    countCalls()
    const calls = (['blocking', 'nonblocking', 'auto'] as const).map((engine) =>
      manager.connect(targets.hang, { engine, signal }).catch((error) => error.code),
    )
    await blockedInConnect(3)
    expect(manager.stats()).toMatchObject({
      inFlight: 3,
      engines: { blocking: { inFlight: 1, queued: 0 }, nonblocking: { inFlight: 2, queued: 0 } },
    })
    for (const engine of ['blocking', 'nonblocking'] as const)
      await closeSocket(await manager.connect(targets.accept, { engine }))
    const list = [targets.accept, targets.refuse]
    const verdicts = await Promise.all(
      (['blocking', 'nonblocking'] as const).map(async (engine) => {
        const found: string[] = []
        for await (const { status } of manager.check(list, { engine })) found.push(status)
        return found.sort()
      }),
    )
    expect(verdicts).toEqual([
      ['down', 'up'],
      ['down', 'up'],
    ])
    controller.abort()
    expect(await Promise.all(calls)).toEqual(Array(3).fill('ABORT_ERR'))
    expect(held()).toMatchObject({ descriptors: 0, buffers: 0, attempts: 0 })
  })

  it('is no way around the manager’s rate', async () => {
    const perSecond = 40
    const manager = manage({ rate: perSecond })
    const told = listen()
    onTestFinished(told.stop)
    const since = performance.now()
    const calls = Array.from({ length: 12 }, async (_, i) =>
      closeSocket(await manager.connect(targets.accept, { engine: i % 2 ? 'blocking' : 'nonblocking' })),
    )
    await Promise.all(calls)
    const starts = told.heard.flatMap(({ channel, at }) => (channel === 'attempt:start' ? [at - since] : []))
    expect(starts).toHaveLength(12)
    // A tenth of a second's worth at once, then one at a time.
    const burst = perSecond / 10
    for (const [i, start] of starts.entries())
      expect(start, `start ${i}`).toBeGreaterThan(((i + 1 - burst) * 1_000) / perSecond - 2)
  })
})

/** A listener over AF_UNIX whose backlog is full until `makeRoom`. */
async function fullListener() {
  const bound = bindAbstract()
  const giveUp = await listenFull(bound)
  let ending = async () => posix.close(bound.fd)
  onTestFinished(async () => {
    await ending()
    await giveUp()
  })
  return {
    target: `unix:@${bound.place.name}`,
    async makeRoom() {
      ending = await serve(bound.fd, (socket) => socket.resume())
    },
  }
}

describe('an AF_UNIX backlog that is full', () => {
  it('is waited for on a lane, until there is room: one attempt all the same', async () => {
    const { target, makeRoom } = await fullListener()
    const manager = manage()
    const told = listen()
    onTestFinished(told.stop)
    countCalls()
    const call = manager.connect(target)
    await blockedInConnect(2)
    expect(manager.stats().engines).toMatchObject({ blocking: { inFlight: 1 }, nonblocking: { inFlight: 0 } })
    expect(ledger()).toEqual({ descriptors: 1, buffers: 1, lanes: 1, attempts: 1 })
    await makeRoom()
    await closeSocket(await call)
    const { attempts } = told.of('delivery')[0] as { attempts: ConnectError['attempts'] }
    expect(attempts).toMatchObject([{ endpoint: target, engine: 'nonblocking' }])
    expect(told.heard.map(({ channel }) => channel)).toEqual(['attempt:start', 'attempt:end', 'delivery'])
  })

  it('is waited for by as many as there are lanes: the others wait in line, hold nothing, and can be cancelled', async () => {
    const manager = manage({ lanes: 2 })
    const controller = new AbortController()
    countCalls()
    const calls = Array.from({ length: 5 }, () =>
      manager.open(targets.stall, { signal: controller.signal }).catch((error) => error.code),
    )
    await blockedInConnect(5 + 2)
    expect(manager.stats().engines).toMatchObject({
      blocking: { inFlight: 2, queued: 3 },
      nonblocking: { inFlight: 0 },
    })
    expect(ledger()).toEqual({ descriptors: 2, buffers: 2, lanes: 2, attempts: 2 })
    // Who needs no lane does not wait for one.
    await closeSocket(await manager.connect(targets.accept))
    controller.abort()
    expect(await Promise.all(calls)).toEqual(Array(5).fill('ABORT_ERR'))
    expect(held()).toMatchObject({ descriptors: 0, buffers: 0, attempts: 0 })
  })

  it.each(engines)('behind lanes that are all taken is judged by its own time: %s engine', async (engine) => {
    const manager = manage({ engine, lanes: 2 })
    const controller = new AbortController()
    const waitsFor = performance.now() + 600
    setTimeout(() => controller.abort(), 600)
    const taking = [1, 2].map(() => manager.open(targets.stall, { signal: controller.signal }).catch(() => {}))
    await expect.poll(() => manager.stats().engines.blocking.inFlight).toBe(2)
    const options = { timeoutMs: 100, retry: { tries: 2 } }
    for await (const result of manager.check([targets.stall], options))
      expect(result).toMatchObject({ status: 'down', errnoClass: 'timed-out', code: 'ETIMEDOUT' })
    expect(performance.now()).toBeGreaterThan(waitsFor)
    await Promise.all(taking)
  })

  describe('on the way to a lane', () => {
    /** The engine over lanes that note what they are asked for, and say a minute later that it timed out within a second. */
    function overNotedLanes() {
      const asked: NativeRequest[] = []
      const late = { state: 'failed', errno: -110, call: 'connect', byDeadline: true, durationMs: 1_000 } as const
      const lanes: Engine = {
        name: 'blocking',
        startsAtOnce: false,
        submit(request, asker) {
          asked.push(request)
          setImmediate(() => asker.settle({ ...late, startedAt: Date.now() + 60_000, waitedMs: 60_000 }))
          return { cancel() {} }
        },
        load: () => ({ inFlight: 0, queued: 0, limit: 1 }),
        close: async () => {},
      }
      const engine = new NonblockingEngine({ lanes: () => lanes })
      onTestFinished(() => engine.close())
      return { engine, asked }
    }

    function submit(engine: Engine, timeoutMs: number) {
      const remote = encodeEndpoint({ family: 'unix', path: targets.stall.replace('unix:@', '\0') })
      let attempt: Attempt
      const outcome = new Promise<Outcome>((resolve) => {
        attempt = engine.submit({ family: 'unix', remote, timeoutMs }, { settle: resolve })
      })
      return { outcome, cancel: () => attempt.cancel() }
    }

    it('takes along what is left of its time, of which the wait for a lane is no part', async () => {
      const { engine, asked } = overNotedLanes()
      // Before and after the call: sixty milliseconds, of which the lane is not told again.
      binding.inject('connect', 0, 0, 30_000)
      const startedAt = Date.now()
      const outcomes = [submit(engine, 100), submit(engine, 0), submit(engine, 10)].map(({ outcome }) => outcome)
      for (const outcome of await Promise.all(outcomes)) {
        expect(outcome).toMatchObject({ state: 'failed', byDeadline: true })
        expect(outcome.startedAt).toBeGreaterThanOrEqual(startedAt - 1)
        expect(outcome.durationMs).toBeGreaterThanOrEqual(1_060 - 1)
        expect(outcome.durationMs).toBeLessThan(30_000)
      }
      expect(asked[0]!.timeoutMs).toBeLessThanOrEqual(40)
      expect(asked.slice(1).map(({ timeoutMs }) => timeoutMs)).toEqual([0, 1])
    })

    it('is cancelled, and goes to none', async () => {
      const { engine, asked } = overNotedLanes()
      binding.inject('connect', 0, 0, 30_000)
      // So many that the calling thread leaves them to the reactor.
      const attempts = Array.from({ length: 4 }, () => submit(engine, 0))
      await callsMade('connect')
      for (const attempt of attempts) attempt.cancel()
      const outcomes = await Promise.all(attempts.map(({ outcome }) => outcome))
      expect(outcomes.map(({ state }) => state)).toEqual(Array(4).fill('cancelled'))
      expect(asked).toEqual([])
      expect(held()).toMatchObject({ descriptors: 0, buffers: 0, attempts: 0 })
    })
  })
})

describe('a cancel of one among many', () => {
  it('leaves the others alone, whatever number their descriptors had before', async () => {
    const manager = manage()
    const controllers = Array.from({ length: 40 }, () => new AbortController())
    countCalls()
    const calls = controllers.map(({ signal }) => manager.open(targets.hang, { signal }).catch((error) => error.code))
    await blockedInConnect(40)
    // Every other one gives its number back, to be taken by the next.
    for (let i = 0; i < 40; i += 2) controllers[i]!.abort()
    expect(await Promise.all(calls.filter((_, i) => i % 2 === 0))).toEqual(Array(20).fill('ABORT_ERR'))
    const opened = await Promise.all(Array.from({ length: 20 }, () => manager.open(targets.accept)))
    await wait(20)
    expect(ledger().attempts).toBe(20)
    for (const descriptor of opened) {
      expect(posix.getpeername(descriptor.fd)).toMatchObject({ port: portOf(targets.accept) })
      descriptor.close()
    }
    for (const controller of controllers) controller.abort()
    expect(await Promise.all(calls)).toEqual(Array(40).fill('ABORT_ERR'))
    expect(held()).toMatchObject({ descriptors: 0, buffers: 0, attempts: 0 })
  })
})
