import { constants } from 'node:os'
import type { ConnectError, ConnectionManager, ManagerOptions, RetryPolicy, Target } from 'cancelpoint'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { requeuesAtMost } from '#internal/core/limits'
import { behaviours } from '#internal/lab/behaviours'
import { atSettlement, expectAbort } from '../support/cancelled.js'
import { held } from '../support/counts.js'
import { listen } from '../support/events.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
afterEach(() => binding.clearFaults())

async function managerOf(options: ManagerOptions): Promise<ConnectionManager> {
  const manager = await warmManager(targets.accept, options)
  onTestFinished(() => manager.close())
  return manager
}

function events() {
  const told = listen()
  onTestFinished(told.stop)
  return told
}

const failure = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => Promise.reject(new Error('it was to fail')),
    (error) => error,
  )

const inject = (call: string, nth: number, errno: 'EMFILE' | 'EADDRNOTAVAIL' | 'ENOBUFS') =>
  binding.inject(call, nth, constants.errno[errno], 0)

/** One that stays at its word: its wait is the whole minute, or nearly. */
const aMinute = { retry: { tries: 9, baseMs: 60_000, capMs: 60_000 }, seed: 2 } satisfies ManagerOptions

describe.each(engines)('%s engine', (engine) => {
  const manage = (options: ManagerOptions = {}) => managerOf({ engine, ...options })

  describe('a call that is retried', () => {
    it('reaches a target that lets two SYNs go unanswered', async () => {
      const slow = await behaviours.slow.open()
      onTestFinished(() => slow.close())
      const told = events()
      const manager = await manage()
      const retry: RetryPolicy = { classes: { 'timed-out': { tries: 9, baseMs: 10 } } }
      const port = 'port' in slow.place ? slow.place.port : 0
      await closeSocket(await manager.connect({ host: '127.0.0.1', port }, { attemptTimeoutMs: 300, retry }))
      const { attempts } = told.of('delivery').at(-1) as { attempts: ConnectError['attempts'] }
      expect(attempts.map(({ code }) => code)).toEqual(['ETIMEDOUT', 'ETIMEDOUT', undefined])
      expect(manager.stats()).toMatchObject({ retries: 2, requeues: 0, failed: 0 })
    })

    it('asks for names again', async () => {
      const manager = await manage()
      let asked = 0
      const lookup = async () => [['::1'], ['127.0.0.1']][asked++]!
      const port = Number(targets.accept.split(':')[1])
      const call = manager.connect({ host: 'moves.test', port }, { lookup, retry: { baseMs: 1 } })
      await closeSocket(await call)
      expect(asked).toBe(2)
    })

    it.each<[string, RetryPolicy | false | undefined, number]>([
      ['three times by default', undefined, 3],
      ['never', false, 1],
      ['as often as the policy says', { tries: 5, baseMs: 1 }, 5],
      ['as often as its class says', { tries: 9, baseMs: 1, classes: { refused: { tries: 2 } } }, 2],
      ['not where its class is given up', { classes: { refused: false } }, 1],
      [
        'as often as its errno says, whatever its class',
        { baseMs: 1, classes: { refused: false }, errnos: { ECONNREFUSED: { tries: 4 } } },
        4,
      ],
      ['not where its errno is given up', { errnos: { ECONNREFUSED: false } }, 1],
    ])('is tried %s: every attempt is told', async (_, retry, tries) => {
      const manager = await manage({ retry: undefined })
      const error = await failure(manager.connect(targets.refuse, { retry }))
      expect(error).toMatchObject({ code: 'ECONNREFUSED', errnoClass: 'refused', syscall: 'connect' })
      expect(error.attempts).toHaveLength(tries)
      const attempt = { endpoint: targets.refuse, engine, code: 'ECONNREFUSED', errnoClass: 'refused' }
      for (const each of error.attempts) expect(each).toMatchObject(attempt)
      expect(manager.stats()).toMatchObject({ retries: tries - 1, requeues: 0 })
    })

    it('holds nothing in its backoff, and its own deadline ends that at once', async () => {
      const told = events()
      const manager = await manage(aMinute)
      const before = held()
      const call = failure(manager.connect(targets.refuse, { timeoutMs: 150 }))
      await expect.poll(() => told.of('retry').length).toBe(1)
      expect(told.of('retry')[0]!.delayMs).toBeGreaterThan(30_000)
      expect(held()).toEqual(before)
      const error = await call
      expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline', errnoClass: 'timed-out' })
      expect(error.attempts.map(({ code }) => code)).toEqual(['ECONNREFUSED'])
    })

    it('is cancelled in its backoff at once', async () => {
      const told = events()
      const manager = await manage(aMinute)
      const before = held()
      const controller = new AbortController()
      const { signal } = controller
      const call = atSettlement(manager.connect(targets.refuse, { signal }), signal)
      await expect.poll(() => told.of('retry').length).toBe(1)
      controller.abort(new Error('why'))
      expectAbort(await call, signal, before)
    })

    it('ends in its backoff when the manager closes', async () => {
      const told = events()
      const manager = await manage(aMinute)
      const call = failure(manager.connect(targets.refuse))
      await expect.poll(() => told.of('retry').length).toBe(1)
      await manager.close()
      expect(await call).toMatchObject({ code: 'ABORT_ERR' })
    })
  })

  describe('the budget of a manager', () => {
    it('gives a storm up that it would make worse', async () => {
      const manager = await manage({ retry: { tries: 2, baseMs: 0, budget: 0 } })
      const errors = await Promise.all(Array.from({ length: 130 }, () => failure(manager.connect(targets.refuse))))
      // Ten a second over ten seconds are always granted.
      expect(manager.stats().retries).toBe(100)
      expect(errors.filter(({ attempts }) => attempts.length === 2)).toHaveLength(100)
      expect(errors.filter(({ attempts }) => attempts.length === 1)).toHaveLength(30)
    })
  })

  describe('the waits between', () => {
    async function delays(seed: number): Promise<unknown[]> {
      const told = listen()
      const manager = await manage({ seed, retry: { tries: 6, baseMs: 2 } })
      await failure(manager.connect(targets.refuse))
      told.stop()
      return told.of('retry').map(({ delayMs }) => delayMs)
    }

    it('are the same for the same seed', async () => {
      const once = await delays(7)
      expect(once).toHaveLength(5)
      expect(await delays(7)).toEqual(once)
      expect(await delays(8)).not.toEqual(once)
    })
  })

  describe('a failure of this machine', () => {
    it.each([
      ['socket', 'EMFILE'],
      ['connect', 'EADDRNOTAVAIL'],
      ['connect', 'ENOBUFS'],
    ] as const)('is no try of the target’s: %s %s, and then it connects', async (call, errno) => {
      const manager = await manage({ retry: false })
      inject(call, 1, errno)
      await closeSocket(await manager.connect(targets.accept))
      expect(manager.stats()).toMatchObject({ retries: 0, requeues: 1 })
    })
  })
})

describe('a failure of this machine that lasts', () => {
  /** Both engines wait it out at the same time. */
  it('is waited out for a while, and then told as what it is', { timeout: 30_000 }, async () => {
    const managers = await Promise.all(
      engines.map(async (engine) => ({
        engine,
        manager: await managerOf({ engine, retry: { tries: 50, baseMs: 1 } }),
      })),
    )
    inject('connect', 0, 'EADDRNOTAVAIL')
    await Promise.all(managers.map(({ engine, manager }) => waitsItOut(engine, manager)))
    binding.clearFaults()
    for (const { manager } of managers) await closeSocket(await manager.connect(targets.accept))
  })

  async function waitsItOut(engine: (typeof engines)[number], manager: ConnectionManager): Promise<void> {
    const { window } = manager.stats().engines[engine]
    const others: Target[] = [targets.accept, targets.refuse]
    const [error, ...rest] = await Promise.all([
      failure(manager.connect(targets.accept)),
      ...others.map((target) => failure(manager.connect(target, { retry: false }))),
    ])
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'connect', errnoClass: 'local' })
    for (const each of rest) expect(each).toMatchObject({ code: 'EADDRNOTAVAIL', errnoClass: 'local' })
    expect(error!.attempts.length).toBeGreaterThan(2)
    expect(error!.attempts.length).toBeLessThanOrEqual(requeuesAtMost + 1)
    expect(new Set(error!.attempts.map(({ code }) => code))).toEqual(new Set(['EADDRNOTAVAIL']))
    expect(manager.stats()).toMatchObject({ retries: 0 })
    expect(manager.stats().engines[engine].window).toBeLessThan(window)
  }
})
