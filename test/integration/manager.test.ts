import { setTimeout as wait } from 'node:timers/promises'
import { ConnectionManager, connect, ledger, type ManagerOptions } from 'cancelpoint'
import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { inFlight, lanesAtMost } from '#internal/core/limits'
import { atSettlement } from '../support/cancelled.js'
import { held, listenersOn, nothingLeft, threads } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
afterEach(() => binding.clearFaults())

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'connected',
    (error: NodeJS.ErrnoException) => error.code,
  )

describe.each(engines)('%s engine', (engine) => {
  const warm = (options: ManagerOptions = {}) => warmManager(targets.accept, { engine, ...options })

  describe('close', () => {
    it('waits for no call whose target has no words', async () => {
      const manager = new ConnectionManager({ engine })
      await expect(manager.connect(Object.create(null))).rejects.toMatchObject({ code: 'ERR_INVALID_TARGET' })
      await manager.close()
    })

    it('ends pending calls after their release, whatever they wait for, and leaves nothing', async () => {
      const manager = await warm({ maxInFlight: 4 })
      const before = held()
      countCalls()
      const { signal } = new AbortController()
      const never = () => new Promise<string[]>(() => {})
      const calls = [
        ...Array.from({ length: 12 }, (_, i) => manager.connect(i % 2 ? targets.hang : targets.stall, { signal })),
        manager.open(targets.hang, { signal }),
        manager.connect('somewhere.test:1', { signal, lookup: never }),
      ].map((call) => atSettlement<unknown>(call, signal))
      await blockedInConnect(4)
      calls.push(atSettlement(manager.connect(targets.accept, { signal }), signal))
      const closing = manager.close()
      const settlements = await Promise.all(calls)
      for (const { error } of settlements) expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
      // The worker may be ending by then, whose own descriptors go with it.
      const owed = ({ held }: (typeof settlements)[number]) => held.attempts + held.open
      const last = settlements.reduce((a, b) => (owed(a) <= owed(b) ? a : b)).held
      expect(last).toEqual({ ...before, open: Math.min(before.open, last.open) })
      expect(listenersOn(signal)).toBe(0)
      await closing
      expect(ledger()).toEqual(nothingLeft)
    })

    it('ends a handshake, a backoff and a check under way as well', async () => {
      const manager = await warm({ retry: { tries: 9, baseMs: 60_000, capMs: 60_000 }, seed: 2 })
      const check = manager.check([targets.hang, targets.stall])
      const calls = [
        codeOf(manager.connect(targets.accept, { tls: true })),
        codeOf(manager.connect(targets.refuse)),
        codeOf(check.next()),
      ]
      await expect.poll(() => [manager.stats().retries, ledger().attempts]).toEqual([1, 2])
      // The lab accepts, and says nothing.
      await wait(20)
      await manager.close()
      expect(await Promise.all(calls)).toEqual(Array(3).fill('ABORT_ERR'))
      expect(ledger()).toEqual(nothingLeft)
    })

    it('is idempotent, and every call afterwards is refused', async () => {
      const manager = await warm()
      const [first, second] = [manager.close(), manager.close()]
      expect(await codeOf(manager.connect(targets.accept))).toBe('ERR_MANAGER_CLOSED')
      await Promise.all([first, second])
      await manager.close()
      await manager[Symbol.asyncDispose]()
      expect(await codeOf(manager.connect(targets.accept))).toBe('ERR_MANAGER_CLOSED')
      expect(await codeOf(manager.open(targets.accept))).toBe('ERR_MANAGER_CLOSED')
      expect(await codeOf(manager.check([targets.accept]).next())).toBe('ERR_MANAGER_CLOSED')
    })

    it('may be asked for again by whoever it cancels, who is refused anything else', async () => {
      const manager = await warm()
      const within: Promise<unknown>[] = []
      const lookup = (_: string, { signal }: { signal: AbortSignal }) => {
        signal.addEventListener('abort', () => within.push(manager.close(), codeOf(manager.connect(targets.accept))))
        return new Promise<string[]>(() => {})
      }
      const call = codeOf(manager.connect('somewhere.test:1', { lookup }))
      await wait(10)
      await manager.close()
      expect(await call).toBe('ABORT_ERR')
      expect(await Promise.all(within)).toEqual([undefined, 'ERR_MANAGER_CLOSED'])
    })

    it('of one that was never used is at once', async () => {
      await new ConnectionManager({ engine }).close()
    })

    it('gives back the threads and descriptors of the manager', async () => {
      await (await warm()).close()
      const before = { ...held(), threads: threads() }
      for (let round = 0; round < 3; round += 1) {
        const manager = await warm({ maxInFlight: 20 })
        countCalls()
        const calls = Array.from({ length: 20 }, () => codeOf(manager.connect(targets.hang)))
        await blockedInConnect(20)
        // A lane each, or a few reactors for all.
        if (engine === 'blocking') expect(threads()).toBeGreaterThanOrEqual(before.threads + 20)
        else expect(threads()).toBeLessThan(before.threads + 20)
        await manager.close()
        expect(new Set(await Promise.all(calls))).toEqual(new Set(['ABORT_ERR']))
      }
      await expect.poll(() => ({ ...held(), threads: threads() })).toEqual(before)
    })

    it('is what await using does', async () => {
      let call: Promise<unknown>
      {
        await using manager = new ConnectionManager({ engine })
        call = codeOf(manager.connect(targets.hang))
      }
      expect(await call).toBe('ABORT_ERR')
      expect(ledger()).toEqual(nothingLeft)
    })

    it('does not wait for whoever holds a check without going on', async () => {
      const manager = await warm()
      const check = manager.check([targets.accept, targets.hang, targets.stall])
      expect(await check.next()).toMatchObject({ value: { status: 'up' } })
      await manager.close()
      expect(ledger()).toEqual(nothingLeft)
      expect(await codeOf(check.next())).toBe('ABORT_ERR')
      expect(await check.next()).toEqual({ done: true, value: undefined })
    })

    it('of one manager leaves the others alone', async () => {
      const [one, other] = [await warm(), await warm()]
      const controller = new AbortController()
      const going = codeOf(other.connect(targets.hang, { signal: controller.signal }))
      const ending = codeOf(one.connect(targets.hang, { signal: controller.signal }))
      await one.close()
      expect(await ending).toBe('ABORT_ERR')
      expect(listenersOn(controller.signal)).toBe(1)
      await closeSocket(await other.connect(targets.accept))
      controller.abort()
      expect(await going).toBe('ABORT_ERR')
      await other.close()
    })
  })

  describe('what is over the limit', () => {
    it('waits, first come first served, and holds nothing meanwhile', async () => {
      const manager = await warm({ maxInFlight: 2 })
      const before = held()
      countCalls()
      const controllers = [new AbortController(), new AbortController()]
      const blocking = controllers.map(({ signal }) => codeOf(manager.connect(targets.hang, { signal })))
      const order: number[] = []
      const waiting = Array.from({ length: 50 }, async (_, index) => {
        const descriptor = await manager.open(targets.accept)
        order.push(index)
        descriptor.close()
      })
      await blockedInConnect(2)
      expect(held()).toEqual({ open: before.open + 2, descriptors: 2, buffers: 2, attempts: 2 })
      expect(manager.stats()).toMatchObject({
        inFlight: 52,
        waiting: 50,
        engines: { [engine]: { inFlight: 2, queued: 0, limit: 2, window: 2 } },
      })
      controllers[0]!.abort()
      await Promise.all(waiting)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
      controllers[1]!.abort()
      expect(await Promise.all(blocking)).toEqual(['ABORT_ERR', 'ABORT_ERR'])
      await manager.close()
    })

    it('is never connected beside more than asked for', async () => {
      const manager = new ConnectionManager({ engine, maxInFlight: 3, retry: false })
      const calls = Array.from({ length: 20 }, () => codeOf(manager.connect(targets.hang, { attemptTimeoutMs: 40 })))
      let most = 0
      const watch = setInterval(() => {
        most = Math.max(most, ledger().descriptors)
      }, 1)
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['ETIMEDOUT']))
      clearInterval(watch)
      expect(most).toBeLessThanOrEqual(3)
      await manager.close()
    })

    it('goes on when those ahead of it in the queue are cancelled', async () => {
      const manager = await warm({ maxInFlight: 1 })
      const controller = new AbortController()
      const { signal } = controller
      const blocked = codeOf(manager.connect(targets.hang, { attemptTimeoutMs: 200 }))
      const ahead = Array.from({ length: 10 }, () => codeOf(manager.connect(targets.hang, { signal })))
      const behind = codeOf(manager.open(targets.accept).then((descriptor) => descriptor.close()))
      controller.abort()
      expect(new Set(await Promise.all(ahead))).toEqual(new Set(['ABORT_ERR']))
      expect([await blocked, await behind]).toEqual(['ETIMEDOUT', 'connected'])
      await manager.close()
    })
  })

  describe('stats', () => {
    it('count what became of every call', async () => {
      const manager = new ConnectionManager({ engine, maxInFlight: 8 })
      const idle = {
        ...{ inFlight: 0, waiting: 0, requeues: 0 },
        engines: {
          blocking: { inFlight: 0, queued: 0, limit: 8, window: 8 },
          nonblocking: { inFlight: 0, queued: 0, limit: 8, window: 8 },
        },
      }
      expect(manager.stats()).toEqual({ ...idle, delivered: 0, failed: 0, cancelled: 0, retries: 0 })
      await closeSocket(await manager.connect(targets.accept))
      ;(await manager.open(targets.accept)).close()
      await codeOf(manager.connect(targets.refuse))
      await codeOf(manager.connect(targets.hang, { signal: AbortSignal.timeout(20) }))
      expect(manager.stats()).toEqual({ ...idle, delivered: 2, failed: 1, cancelled: 1, retries: 2 })
      // A deadline is a failure. What a check connects to is delivered to nobody.
      await codeOf(manager.connect(targets.hang, { timeoutMs: 20 }))
      const names = [targets.accept.replace('127.0.0.1', 'localhost'), targets.accept]
      for await (const { status } of manager.check(names)) expect(status).toBe('up')
      expect(manager.stats()).toEqual({ ...idle, delivered: 2, failed: 2, cancelled: 1, retries: 2 })
      await manager.close()
    })
  })
})

describe('a lane that has to be started first', () => {
  it('is not the target’s time, nor has an attempt that never came to its connect started before', async () => {
    // No worker starts in so short a time.
    await using manager = new ConnectionManager({ engine: 'blocking', retry: false })
    const before = Date.now()
    const error = await manager.connect(targets.accept, { timeoutMs: 4 }).catch((error) => error)
    expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline', errnoClass: 'local' })
    for (const { startedAt } of error.attempts) expect(startedAt).toBeGreaterThanOrEqual(before)
  })
})

describe('options', () => {
  const wrong: [ManagerOptions, RegExp][] = [
    [{ lanes: 0 }, /^lanes is 0: expected a whole number from 1 to/],
    [{ lanes: 1.5 }, /^lanes is 1.5/],
    [{ lanes: Number.NaN }, /^lanes is NaN/],
    [{ lanes: lanesAtMost + 1 }, /^lanes is/],
    [{ lanes: '8' as never }, /^lanes is '8'/],
    [{ maxInFlight: 0 }, /^(lanes|maxInFlight) is 0/],
    [null as never, /^options is null: expected an object/],
    [5 as never, /^options is 5: expected an object/],
    [{ timeoutMs: 0 }, /^timeoutMs is 0: expected milliseconds above 0/],
    [{ timeoutMs: -1 }, /^timeoutMs is -1/],
    [{ attemptTimeoutMs: '1' as never }, /^attemptTimeoutMs is '1'/],
    [{ engine: 'fast' as never }, /^engine is 'fast'/],
    [{ engine: 'toString' as never }, /^engine is 'toString'/],
    [{ timeout: 5 } as never, /^options has 'timeout': here it is timeoutMs$/],
    [JSON.parse('{"__proto__":{"timeoutMs":5}}'), /^options has '__proto__'/],
  ]
  it.each(wrong)('%o are refused by name', async (options, message) => {
    expect(() => new ConnectionManager(options)).toThrow(message)
  })

  it.each(wrong.slice(6))('%o of a call are refused by name', async (options, message) => {
    const manager = new ConnectionManager({ engine: 'blocking' })
    await expect(manager.connect(targets.accept, options)).rejects.toThrow(message)
    await expect(manager.open(targets.accept, options)).rejects.toThrow(message)
    await expect(manager.check([targets.accept], options).next()).rejects.toThrow(message)
    expect(manager.stats().inFlight).toBe(0)
    await manager.close()
  })

  it('of the manager are defaults for its calls', async () => {
    const signal = AbortSignal.abort()
    const manager = new ConnectionManager({ engine: 'blocking', attemptTimeoutMs: 20, noDelay: true, signal })
    expect(await codeOf(manager.connect(targets.accept))).toBe('ABORT_ERR')
    const call = manager.connect(targets.hang, { signal: new AbortController().signal })
    await expect(call).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await manager.close()
  })

  it('of TLS are for sockets: open() refuses its own, and passes over the manager’s', async () => {
    const manager = new ConnectionManager({ tls: true })
    for (const tls of [true, {}])
      await expect(manager.open(targets.accept, { tls })).rejects.toThrow(/^tls is given to open\(\)/)
    const opened = await Promise.all([manager.open(targets.accept), manager.open(targets.accept, { tls: false })])
    for (const descriptor of opened) descriptor.close()
    expect(manager.stats()).toMatchObject({ inFlight: 0, delivered: 2 })
    await manager.close()
  })

  it.each<[ManagerOptions, blocking: number, nonblocking: number]>([
    [{}, 256, inFlight],
    [{ lanes: 8 }, 8, inFlight],
    [{ maxInFlight: 100_000 }, lanesAtMost, 100_000],
    [{ maxInFlight: 5 }, 5, 5],
    [{ maxInFlight: 5, lanes: 100 }, 5, 5],
    [{ maxInFlight: 50, lanes: 10 }, 10, 50],
  ])('%o make room for %i lanes and %i nonblocking attempts', async (options, blocking, nonblocking) => {
    const manager = new ConnectionManager(options)
    expect(manager.stats().engines).toMatchObject({
      blocking: { limit: blocking },
      nonblocking: { limit: nonblocking },
    })
    await manager.close()
  })
})

describe('the default manager', () => {
  it('is shared and stays open', async () => {
    await closeSocket(await connect(targets.accept))
    expect(await codeOf(connect(targets.refuse))).toBe('ECONNREFUSED')
  })
})
