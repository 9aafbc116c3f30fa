import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectError, type ConnectionManager, ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { outcomesPerSlice } from '#internal/core/limits'
import { atSettlement } from '../support/cancelled.js'
import { held, listenersOn, nothingLeft } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  const hangingAddress = () => ({ family: 'inet', address: '127.0.0.1', port: portOf(targets.hang) }) as const

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())
  afterEach(() => binding.clearFaults())

  async function drain(results: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of results);
  }

  describe('one signal', () => {
    it('has one listener however many calls share it, and none once they are over', async () => {
      const controller = new AbortController()
      const { signal } = controller
      const fds = [posix.socket('inet'), posix.socket('inet')]
      const peer = await manager.open(targets.accept)
      const calls: Promise<unknown>[] = [
        manager.connect(targets.hang, { signal }),
        manager.connect(targets.stall, { signal }),
        manager.open(targets.hang, { signal }),
        drain(manager.check([targets.hang, targets.stall], { signal })),
        posix.connect(fds[0]!, hangingAddress(), { signal }),
        posix.poll(peer.fd, 'readable', { signal }),
      ]
      for (let i = 0; i < 50; i += 1) calls.push(manager.connect(targets.hang, { signal }))
      expect(listenersOn(signal)).toBe(1)
      await wait(50)
      expect(listenersOn(signal)).toBe(1)
      controller.abort()
      const outcomes = await Promise.allSettled(calls)
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ABORT_ERR' } })
      expect(listenersOn(signal)).toBe(0)
      for (const fd of fds) posix.close(fd)
      peer.close()
    })

    const outcomes: [string, (signal: AbortSignal) => Promise<unknown>][] = [
      ['a connect', async (signal) => closeSocket(await manager.connect(targets.accept, { signal }))],
      ['an open', async (signal) => (await manager.open(targets.accept, { signal })).close()],
      ['a refusal', (signal) => manager.connect(targets.refuse, { signal })],
      ['a deadline', (signal) => manager.connect(targets.hang, { signal, timeoutMs: 20 })],
      ['an attempt deadline', (signal) => manager.connect(targets.hang, { signal, attemptTimeoutMs: 20 })],
      ['an unreadable target', (signal) => manager.connect('what', { signal })],
      ['an option that is not one', (signal) => manager.connect(targets.accept, { signal, timeoutMs: -1 })],
      [
        'a lookup that fails',
        (signal) => manager.connect('a.test:1', { signal, lookup: () => Promise.reject(new Error()) }),
      ],
      ['a lookup that throws', (signal) => manager.connect('a.test:1', { signal, lookup: throwing })],
      ['a handshake that fails', (signal) => manager.connect(targets.reset, { signal, tls: true })],
      ['a check', (signal) => drain(manager.check([targets.accept, targets.refuse, 'what'], { signal }))],
      ['a posix connect', (signal) => posixConnect(signal)],
      ['a posix connect without a descriptor', (signal) => posix.connect(-1, hangingAddress(), { signal })],
    ]
    it.each(outcomes)('is let go of after %s', async (_, call) => {
      const { signal } = new AbortController()
      const settlement = await atSettlement(call(signal), signal)
      expect(settlement.listeners).toBe(0)
    })

    it('keeps its listener while one of its calls goes on', async () => {
      const controller = new AbortController()
      const { signal } = controller
      const going = manager.connect(targets.hang, { signal }).catch((error) => error)
      await closeSocket(await manager.connect(targets.accept, { signal }))
      expect(listenersOn(signal)).toBe(1)
      controller.abort()
      expect(await going).toMatchObject({ code: 'ABORT_ERR' })
      expect(listenersOn(signal)).toBe(0)
    })
  })

  function throwing(): never {
    throw new Error('at once')
  }

  async function posixConnect(signal: AbortSignal): Promise<void> {
    const fd = posix.socket('inet')
    await posix.connect(fd, { family: 'inet', address: '127.0.0.1', port: portOf(targets.accept) }, { signal })
    posix.close(fd)
  }

  describe('a deadline', () => {
    it.each(['hang', 'stall'] as const)('of the call is told after the release: %s', async (behaviour) => {
      const before = held()
      const { signal } = new AbortController()
      const { error, held: left } = await atSettlement(
        manager.connect(targets[behaviour], { signal, timeoutMs: 100 }),
        signal,
      )
      expect(error).toMatchObject({
        name: 'ConnectError',
        code: 'ETIMEDOUT',
        timedOutBy: 'deadline',
        errnoClass: 'timed-out',
      })
      expect(error!.message).toContain('100 ms')
      expect(left).toEqual(before)
    })

    it.each(['hang', 'stall'] as const)('of an attempt is kept by its engine: %s', async (behaviour) => {
      const before = held()
      const { signal } = new AbortController()
      const call = manager.connect(targets[behaviour], { signal, attemptTimeoutMs: 30 })
      const { error, held: left } = await atSettlement(call, signal)
      expect(error).toMatchObject({
        code: 'ETIMEDOUT',
        timedOutBy: 'deadline',
        errnoClass: 'timed-out',
        syscall: 'connect',
      })
      expect((error as unknown as ConnectError).attempts).toMatchObject([{ code: 'ETIMEDOUT', engine }])
      expect(left).toEqual(before)
    })

    it('of the call ends the attempts that its own deadlines would not', async () => {
      const lookup = async () => [
        '127.0.0.2',
        '127.0.0.3',
        '127.0.0.4',
        '127.0.0.5',
        '127.0.0.6',
        '127.0.0.7',
        '127.0.0.8',
      ]
      const target = `a.test:${portOf(targets.hang)}`
      const before = held()
      const { signal } = new AbortController()
      const call = manager.connect(target, { signal, lookup, attemptTimeoutMs: 60, timeoutMs: 150 })
      const { error, held: left } = await atSettlement(call, signal)
      expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline' })
      const { attempts } = error as unknown as ConnectError
      expect(attempts.length).toBeGreaterThan(1)
      expect(attempts.length).toBeLessThan(7)
      expect(attempts.map(({ code }) => code)).toEqual(attempts.map(() => 'ETIMEDOUT'))
      expect(left).toEqual(before)
    })

    it('of the call ends a lookup and a handshake', async () => {
      const never = () => new Promise<string[]>(() => {})
      const expected = { code: 'ETIMEDOUT', timedOutBy: 'deadline' }
      const named = { ...expected, hostname: 'a.test' }
      const placed = { ...expected, port: portOf(targets.accept) }
      await expect(manager.connect('a.test:1', { lookup: never, timeoutMs: 20 })).rejects.toMatchObject(named)
      await expect(manager.connect(targets.accept, { tls: true, timeoutMs: 50 })).rejects.toMatchObject(placed)
    })

    it('may be Infinity', async () => {
      const call = manager.connect(targets.accept, { timeoutMs: Infinity, attemptTimeoutMs: Infinity })
      await closeSocket(await call)
    })
  })

  describe('an abort shared by many', () => {
    /** `count` calls, so many under way at once, and in which turn of the event loop each was settled. */
    async function startMany(count: number, lanes: number) {
      const many = await warmManager(targets.accept, { engine, maxInFlight: lanes })
      const controller = new AbortController()
      const settledIn = new Map<number, number>()
      let turn = 0
      let left = count
      const goRound = () => {
        turn += 1
        if (left > 0) setImmediate(goRound)
      }
      const call = async () => {
        const error = await many.connect(targets.hang, { signal: controller.signal }).catch((thrown) => thrown)
        expect(error).toMatchObject({ code: 'ABORT_ERR' })
        settledIn.set(turn, (settledIn.get(turn) ?? 0) + 1)
        left -= 1
      }
      countCalls()
      const calls = Promise.all(Array.from({ length: count }, call))
      setImmediate(goRound)
      return { many, controller, calls, settledIn }
    }

    it('is one native call', async () => {
      const { many, controller, calls } = await startMany(600, 600)
      await blockedInConnect(600)
      const cancel = binding.cancel
      const sizes: number[] = []
      binding.cancel = (ids, count) => {
        sizes.push(count)
        return cancel(ids, count)
      }
      try {
        controller.abort()
      } finally {
        binding.cancel = cancel
      }
      expect(sizes).toEqual([600])
      await calls
      await many.close()
    })

    it.each<[string, number, (lanes: number) => Promise<void>]>([
      ['under way', 1_000, blockedInConnect],
      ['behind all that may be', 1, blockedInConnect],
      ['before the first was started', 1_000, async () => {}],
    ])('settles no more than a slice in a turn: %s', async (_, lanes, moment) => {
      const { many, controller, calls, settledIn } = await startMany(1_000, lanes)
      await moment(lanes)
      controller.abort()
      await calls
      expect(Math.max(...settledIn.values())).toBeLessThanOrEqual(outcomesPerSlice)
      await many.close()
    })
  })

  describe('afterwards', () => {
    it('nothing is left', async () => {
      await manager.close()
      await expect.poll(ledger, { timeout: 10_000 }).toEqual(nothingLeft)
    })
  })
})
