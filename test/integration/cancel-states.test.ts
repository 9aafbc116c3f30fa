import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionManager, type ConnectOptions, type Descriptor, ledger, type Target } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { Resolver } from '#internal/names/resolver'
import { atSettlement, expectAbort } from '../support/cancelled.js'
import { held, listenersOn } from '../support/counts.js'
import { blockedInConnect, callsMade, countCalls, holdThread } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())
  afterEach(() => binding.clearFaults())

  type Method = 'connect' | 'open'
  const methods: Method[] = ['connect', 'open']

  const settlementOf = (started: Promise<Socket | Descriptor>, signal: AbortSignal) => atSettlement(started, signal)

  /** What is called for an attempt that has connected, the last of them at the end. */
  const afterSuccess =
    engine === 'blocking'
      ? ['getsockopt', 'getpeername', 'getsockname', 'setsockopt', 'fcntl']
      : ['getsockopt', 'getpeername', 'getsockname']
  /** So many leave this thread: a single nonblocking attempt is begun on it. */
  const batch = engine === 'blocking' ? 1 : 3

  /** Calls, aborts when `when` resolves, and holds the last call that settles to what a cancelled one owes. */
  async function cancelWhen(
    when: () => unknown,
    target: Target,
    {
      by = manager,
      method = 'connect',
      calls = 1,
      ...options
    }: ConnectOptions & { by?: ConnectionManager; method?: Method; calls?: number } = {},
  ): Promise<void> {
    const controller = new AbortController()
    const { signal } = controller
    const before = held()
    const settlements = Array.from({ length: calls }, () =>
      settlementOf(by[method](target, { ...options, signal }), signal),
    )
    await when()
    controller.abort(new Error('why'))
    for (const settled of settlements.slice(0, -1)) expect((await settled).error).toMatchObject({ code: 'ABORT_ERR' })
    expectAbort(await settlements.at(-1)!, signal, before)
  }

  describe.each(methods)('%s cancelled', (method) => {
    it('before the call opens no descriptor', async () => {
      countCalls()
      const signal = AbortSignal.abort(new Error('why'))
      const before = held()
      expectAbort(await settlementOf(manager[method](targets.accept, { signal }), signal), signal, before)
      await wait(20)
      expect(binding.callsSeen('socket')).toBe(0)
    })

    it('in the same turn opens no descriptor', async () => {
      countCalls()
      const controller = new AbortController()
      const before = held()
      const settled = settlementOf(manager[method](targets.accept, { signal: controller.signal }), controller.signal)
      controller.abort(new Error('why'))
      expectAbort(await settled, controller.signal, before)
      await wait(20)
      expect(binding.callsSeen('socket')).toBe(0)
    })

    it.each([0, 1, 2, 3, 4, 5])('%i microtasks later', async (microtasks) => {
      await cancelWhen(
        async () => {
          for (let i = 0; i < microtasks; i += 1) await undefined
        },
        targets.hang,
        { method },
      )
    })

    it.each([1, 2, 3, 4])('%i ticks later, on its way to its engine', async (ticks) => {
      await cancelWhen(
        async () => {
          for (let i = 0; i < ticks; i += 1) await new Promise<void>((resolve) => process.nextTick(resolve))
        },
        targets.hang,
        { method },
      )
    })

    it('behind all that may be under way opens no descriptor', async () => {
      const narrow = await warmManager(targets.accept, { engine, maxInFlight: 1 })
      const first = new AbortController()
      countCalls()
      const ahead = narrow.connect(targets.hang, { signal: first.signal }).catch((error) => error)
      await blockedInConnect()
      await cancelWhen(() => wait(20), targets.accept, { by: narrow, method })
      expect(binding.callsSeen('socket')).toBe(1)
      first.abort()
      expect(await ahead).toMatchObject({ code: 'ABORT_ERR' })
      await narrow.close()
    })

    it('before it calls connect', async () => {
      binding.inject('socket', 0, 0, 50_000)
      await cancelWhen(() => callsMade('socket'), targets.hang, { method })
    })

    it('inside connect, TCP', async () => {
      countCalls()
      await cancelWhen(blockedInConnect, targets.hang, { method })
    })

    it('inside connect, AF_UNIX', async () => {
      countCalls()
      await cancelWhen(blockedInConnect, targets.stall, { method })
    })

    it.each(afterSuccess)('after success, while its engine is in %s', async (call) => {
      binding.inject(call, 0, 0, 30_000)
      await cancelWhen(() => callsMade(call), targets.accept, { method, calls: batch })
    })

    it('after success, before this thread has heard of it', async () => {
      countCalls()
      await cancelWhen(
        async () => {
          await handedOver()
          holdThread(50)
          const last = afterSuccess.at(-1)!
          expect([binding.callsSeen(last), binding.callsSeen('close')]).toEqual([batch, 0])
        },
        targets.accept,
        { method, calls: batch },
      )
    })

    it('between the claim and the delivery', async () => {
      const claim = binding.claim
      for (let microtasks = 0; microtasks < 12; microtasks += 1) {
        const controller = new AbortController()
        const before = held()
        binding.claim = (id) => {
          const fd = claim(id)
          abortAfter(microtasks, controller)
          return fd
        }
        try {
          const settlement = await settlementOf(
            manager[method](targets.accept, { signal: controller.signal }),
            controller.signal,
          )
          if (settlement.error) expectAbort(settlement, controller.signal, before)
          else await expectAlive(settlement.value!)
          if (microtasks === 0) expect(settlement.error).toBeDefined()
          expect(held()).toEqual(before)
        } finally {
          binding.claim = claim
        }
      }
    })

    it('while a lookup that listens looks', async () => {
      const lookup: ConnectOptions['lookup'] = (_name, { signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('told so')), { once: true }))
      await cancelWhen(() => wait(10), 'somewhere.test:80', { lookup, method })
    })

    it('while a lookup that does not listen looks', async () => {
      const lookup = () => new Promise<string[]>(() => {})
      await cancelWhen(() => wait(10), 'somewhere.test:80', { lookup, method })
    })

    it('while DNS does not answer', async () => {
      const silent = createSocket('udp4').bind(0, '127.0.0.1')
      await once(silent, 'listening')
      const resolver = new Resolver({ servers: [`127.0.0.1:${silent.address().port}`] })
      const lookup: ConnectOptions['lookup'] = (name, options) => resolver.resolve(name, options)
      for (let round = 0; round < 2; round += 1) {
        const asked = once(silent, 'message')
        await cancelWhen(() => asked, 'somewhere.test:80', { lookup, method })
      }
      resolver.close()
      silent.close()
    })

    it('between two addresses', async () => {
      countCalls()
      const lookup = async () => ['127.0.0.2', '127.0.0.3']
      await cancelWhen(() => callsMade('connect', 2).then(() => wait(10)), `somewhere.test:${portOf(targets.hang)}`, {
        lookup,
        attemptTimeoutMs: 60,
        method,
      })
    })
  })

  /** The staged attempts are on their way to a worker: reserved, and out of this thread's hands. */
  async function handedOver(): Promise<void> {
    await undefined
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }

  function abortAfter(microtasks: number, controller: AbortController): void {
    if (microtasks === 0) controller.abort(new Error('why'))
    else queueMicrotask(() => abortAfter(microtasks - 1, controller))
  }

  /** The connected thing works, though its signal has aborted since; ends it. */
  async function expectAlive(value: Socket | Descriptor): Promise<void> {
    const socket = 'adopt' in value ? value.adopt() : value
    await new Promise<void>((resolve, reject) => socket.write('x', (error) => (error ? reject(error) : resolve())))
    await closeSocket(socket)
  }

  describe('connect cancelled', () => {
    it('while the peer keeps the TLS handshake waiting', async () => {
      await cancelWhen(() => wait(50), targets.accept, { tls: true })
    })

    it('after the delivery: no effect', async () => {
      const controller = new AbortController()
      const before = held()
      const socket = await manager.connect(targets.accept, { signal: controller.signal })
      expect(listenersOn(controller.signal)).toBe(0)
      controller.abort()
      await wait(10)
      await expectAlive(socket)
      expect(held()).toEqual(before)
    })
  })

  describe('open cancelled', () => {
    it('after the delivery: no effect', async () => {
      const controller = new AbortController()
      const descriptor = await manager.open(targets.accept, { signal: controller.signal })
      controller.abort()
      await wait(10)
      expect(posix.getpeername(descriptor.fd)).toMatchObject({ family: 'inet' })
      descriptor.close()
      expect(ledger()).toMatchObject({ descriptors: 0, buffers: 0, attempts: 0 })
    })
  })

  describe('many cancelled by one abort, after success', () => {
    /** Over the number that the calling thread cancels itself, the reaper does it. It must not be outrun while it closes. */
    it('have all been closed when the last one rejects', async () => {
      const controller = new AbortController()
      const { signal } = controller
      const before = held()
      const calls = Array.from({ length: 100 }, () => atSettlement(manager.connect(targets.accept, { signal }), signal))
      await handedOver()
      holdThread(300)
      expect(ledger().descriptors).toBe(100)
      binding.inject('close', 1, 0, 100_000)
      controller.abort(new Error('why'))
      holdThread(20)
      const settlements = await Promise.all(calls)
      for (const { error } of settlements) expect(error).toMatchObject({ code: 'ABORT_ERR' })
      expect(held()).toEqual(before)
    })
  })
})
