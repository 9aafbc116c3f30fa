import { constants } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { type CheckOptions, type CheckResult, ConnectionManager, ledger, type Target } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { held, listenersOn } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
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

  type Source = Iterable<Target> | AsyncIterable<Target>

  async function resultsOf(source: Source, options?: CheckOptions): Promise<CheckResult[]> {
    const results: CheckResult[] = []
    for await (const result of manager.check(source, options)) results.push(result)
    return results
  }

  async function only(target: Target, options?: CheckOptions): Promise<CheckResult> {
    const results = await resultsOf([target], options)
    expect(results).toHaveLength(1)
    return results[0]!
  }

  /** A source that counts what is asked of it. */
  function counting(list: Iterable<Target>) {
    const inner = list[Symbol.iterator]()
    const source = {
      pulled: 0,
      returned: 0,
      [Symbol.iterator]: () => source,
      next() {
        source.pulled += 1
        return inner.next()
      },
      return() {
        source.returned += 1
        return { done: true as const, value: undefined }
      },
    }
    return source
  }

  function* repeated(target: Target, times: number): Generator<Target> {
    for (let i = 0; i < times; i += 1) yield target
  }

  async function* slowly(list: Iterable<Target>, ms = 1): AsyncGenerator<Target> {
    for (const target of list) {
      await wait(ms)
      yield target
    }
  }

  describe('a result', () => {
    it('of a target that is up', async () => {
      const result = await only(targets.accept)
      const port = portOf(targets.accept)
      const { startedAt, connectMs, ...rest } = result
      expect(rest).toEqual({ target: targets.accept, address: '127.0.0.1', port, status: 'up', attempts: 1 })
      expect(connectMs).toBeGreaterThan(0)
      expect(Number.isInteger(startedAt)).toBe(true)
      expect(Math.abs(Date.now() - startedAt)).toBeLessThan(60_000)
    })

    it.each<['refuse' | 'hang' | 'stall', Partial<CheckResult>, reason: string]>([
      ['refuse', { code: 'ECONNREFUSED', errnoClass: 'refused', address: '127.0.0.1' }, 'Nothing listens there.'],
      ['hang', { code: 'ETIMEDOUT', errnoClass: 'timed-out', address: '127.0.0.1' }, 'No answer within 40 ms.'],
      ['stall', { code: 'ETIMEDOUT', errnoClass: 'timed-out' }, 'No answer within 40 ms.'],
    ])('of one that is down: %s', async (behaviour, expected, reason) => {
      const options = { attemptTimeoutMs: 40 }
      const result = await only(targets[behaviour], options)
      expect(result).toMatchObject({ ...expected, status: 'down', reason, target: targets[behaviour], attempts: 1 })
      // In several steps as in one.
      const retried = await only(targets[behaviour], { ...options, retry: { tries: 1 } })
      expect(retried).toEqual({ ...result, startedAt: expect.any(Number) })
      expect(result).not.toHaveProperty('connectMs')
      if (behaviour === 'stall') expect(result.path?.slice(1)).toBe(targets.stall.slice('unix:@'.length))
    })

    it.each<[Target, string]>([
      ['what', 'what'],
      ['a.test:99999', 'a.test:99999'],
      ['', ''],
      [{ host: 'a.test', port: -1 }, '{"host":"a.test","port":-1}'],
      [{} as Target, '{}'],
    ])('of an unreadable target says so: %j', async (target, written) => {
      expect(await only(target)).toMatchObject({
        target: written,
        status: 'unknown',
        code: 'ERR_INVALID_TARGET',
        errnoClass: 'misuse',
        attempts: 0,
        reason: expect.stringMatching(/^.* is not a target: .+\.$/),
      })
    })

    it('of a name tells how long the name took', async () => {
      const port = portOf(targets.accept)
      const lookup = async (name: string) => (name === 'up.test' ? ['127.0.0.1'] : [])
      const up = await only(`up.test:${port}`, { lookup })
      expect(up).toMatchObject({ target: `up.test:${port}`, address: '127.0.0.1', port, status: 'up', attempts: 1 })
      expect(up.nameMs).toBeGreaterThanOrEqual(0)
      expect(String(up.nameMs)).toMatch(/^\d+(\.\d{1,3})?$/)
      const none = await only('none.test:80', { lookup })
      expect(none).toMatchObject({
        target: 'none.test:80',
        status: 'down',
        code: 'ENOTFOUND',
        errnoClass: 'name',
        attempts: 0,
      })
      const failing = await only('some.test:80', { lookup: () => Promise.reject(new Error('no idea')) })
      expect(failing).toMatchObject({ status: 'unknown', reason: 'It could not be checked: no idea.', attempts: 0 })
    })

    it('of several addresses is that of the first that takes it', async () => {
      const result = await only(`two.test:${portOf(targets.accept)}`, { lookup: async () => ['::1', '127.0.0.3'] })
      expect(result).toMatchObject({ status: 'up', address: '127.0.0.3', attempts: 2 })
    })

    it('of several addresses says in one sentence that one could not be tried', async () => {
      binding.inject('socket', 1, constants.errno.EACCES, 0)
      const target = `two.test:${portOf(targets.refuse)}`
      expect(await only(target, { lookup: async () => ['127.0.0.2', '127.0.0.3'] })).toMatchObject({
        ...{ status: 'unknown', code: 'EACCES', errnoClass: 'denied', address: '127.0.0.2' },
        reason:
          'This process may not make sockets of that kind, so one of its addresses was not tried; another said: nothing listens there.',
      })
    })

    it('comes once for each target of a source of either kind', async () => {
      const list = [targets.accept, targets.refuse, 'what', ...repeated(targets.accept, 100)]
      for (const source of [list, slowly(list, 0), new Set(list.slice(0, 3))]) {
        const expected = source instanceof Set ? 3 : list.length
        const before = held()
        const results = await resultsOf(source, { concurrency: 10 })
        expect(results).toHaveLength(expected)
        expect(results.filter(({ status }) => status === 'up')).toHaveLength(expected - 2)
        expect(held()).toEqual(before)
      }
      expect(await resultsOf([])).toEqual([])
    })
  })

  describe('left early', () => {
    it.each(['break', 'throw'])('awaits the release of what is in flight: %s', async (how) => {
      const before = held()
      const source = counting([targets.accept, ...repeated(targets.hang, 20), ...repeated(targets.stall, 20)])
      countCalls()
      const leave = async () => {
        for await (const { status } of manager.check(source, { concurrency: 30 })) {
          expect(status).toBe('up')
          await blockedInConnect(30)
          // Those at a full backlog are between their engine and a lane for a moment.
          await expect.poll(() => ledger().attempts).toBe(29)
          if (how === 'throw') throw new Error('enough')
          break
        }
      }
      if (how === 'throw') await expect(leave()).rejects.toThrow('enough')
      else await leave()
      expect(held()).toEqual(before)
      expect(source.returned).toBe(1)
      expect(manager.stats()).toMatchObject({ inFlight: 0, waiting: 0 })
    })

    it('lets a source end that is waited for', async () => {
      let ended = false
      async function* source(): AsyncGenerator<Target> {
        try {
          yield targets.accept
          await wait(50)
          yield targets.accept
        } finally {
          ended = true
        }
      }
      for await (const _ of manager.check(source())) break
      await expect.poll(() => ended).toBe(true)
    })

    it('does not wait for a source that never answers', async () => {
      async function* source(): AsyncGenerator<Target> {
        yield targets.accept
        await new Promise(() => {})
      }
      for await (const _ of manager.check(source())) break
    })
  })

  describe('aborted', () => {
    it('throws once everything in flight is released', async () => {
      const controller = new AbortController()
      const { signal } = controller
      const before = held()
      const source = counting([targets.accept, ...repeated(targets.hang, 20), ...repeated(targets.stall, 20)])
      const check = manager.check(source, { signal, concurrency: 30 })
      countCalls()
      expect((await check.next()).value).toMatchObject({ status: 'up' })
      const next = check.next().then(
        () => undefined,
        (error) => ({ error, held: held(), listeners: listenersOn(signal) }),
      )
      await blockedInConnect(30)
      controller.abort(new Error('why'))
      const thrown = await next
      expect(thrown).toMatchObject({ held: before, listeners: 0 })
      expect(thrown!.error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: signal.reason })
      expect(source.returned).toBe(1)
      expect(await check.next()).toEqual({ done: true, value: undefined })
    })

    it('before it began it pulls nothing', async () => {
      const source = counting([targets.accept])
      const check = manager.check(source, { signal: AbortSignal.abort() })
      await expect(check.next()).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(source.pulled).toBe(0)
    })

    it('while the source is waited for, and while a name is', async () => {
      const never = async function* (): AsyncGenerator<Target> {
        await new Promise(() => {})
      }
      const lookup = () => new Promise<string[]>(() => {})
      for (const source of [never(), ['a.test:1']]) {
        const signal = AbortSignal.timeout(20)
        await expect(resultsOf(source, { signal, lookup })).rejects.toMatchObject({ code: 'ABORT_ERR' })
        expect(listenersOn(signal)).toBe(0)
      }
      expect(manager.stats().inFlight).toBe(0)
    })
  })

  describe('a source', () => {
    it.each([1, 7, 64])(
      'is never pulled more than the concurrency ahead of a slow consumer: %i',
      async (concurrency) => {
        const source = counting(repeated(targets.accept, 300))
        let taken = 0
        for await (const _ of manager.check(source, { concurrency })) {
          taken += 1
          if (taken % 50 === 0) await wait(10)
          expect(source.pulled - taken).toBeLessThanOrEqual(concurrency)
        }
        expect(taken).toBe(300)
      },
    )

    it('that is slow is asked for one at a time', async () => {
      let asked = 0
      let most = 0
      const source: AsyncIterable<Target> = {
        [Symbol.asyncIterator]: () => ({
          async next() {
            asked += 1
            most = Math.max(most, asked)
            await wait(1)
            asked -= 1
            return { done: false, value: targets.accept }
          },
        }),
      }
      let taken = 0
      for await (const _ of manager.check(source, { concurrency: 8 })) if (++taken === 20) break
      expect(most).toBe(1)
    })

    it.each(['sync', 'async'])('that throws ends the check with its error, after the release: %s', async (kind) => {
      function* failing(): Generator<Target> {
        yield targets.hang
        yield targets.stall
        throw new Error('the list is torn')
      }
      const before = held()
      const source = kind === 'sync' ? failing() : slowly(failing())
      await expect(resultsOf(source)).rejects.toThrow('the list is torn')
      expect(held()).toEqual(before)
      expect(manager.stats().inFlight).toBe(0)
    })

    const iterated = (next: () => unknown, end?: () => unknown) =>
      ({ [Symbol.iterator]: () => ({ next, return: end }) }) as Iterable<Target>
    const iteratedLate = (next: () => unknown, end?: () => unknown) =>
      ({ [Symbol.asyncIterator]: () => ({ next: async () => next(), return: end }) }) as AsyncIterable<Target>
    const kinds = [
      ['sync', iterated],
      ['async', iteratedLate],
    ] as const
    const never = () => new Promise(() => {})

    it.each(kinds)('that has ended by itself is not told to: %s', async (_, source) => {
      const list = [targets.accept, targets.refuse]
      let told = 0
      const end = () => {
        told += 1
        return never()
      }
      expect(await resultsOf(source(() => ({ done: list.length === 0, value: list.shift() }), end))).toHaveLength(2)
      const failing = source(() => {
        throw new Error('torn')
      }, end)
      await expect(resultsOf(failing)).rejects.toThrow('torn')
      expect(told).toBe(0)
    })

    it.each(kinds)('that gives what is no result is refused as `for await` does: %s', async (_, source) => {
      for (const result of [undefined, null, 5, 'text']) {
        const expected = new TypeError(`Iterator result ${result} is not an object`)
        await expect(resultsOf(source(() => result, never))).rejects.toThrow(expected)
      }
    })

    it.each(kinds)('whose end throws is told so to whoever left early: %s', async (_, source) => {
      const leave = async () => {
        const torn = source(
          () => ({ done: false, value: targets.accept }),
          () => {
            throw new Error('torn')
          },
        )
        for await (const _ of manager.check(torn, { concurrency: 1 })) break
      }
      await expect(leave()).rejects.toThrow('torn')
    })
  })

  describe('options', () => {
    it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuse a concurrency of %d', async (concurrency) => {
      await expect(resultsOf([targets.accept], { concurrency })).rejects.toThrow(/^concurrency is/)
    })
  })
})

describe('a local failure that lasts', () => {
  afterEach(() => binding.clearFaults())

  /** Waited out by both engines at the same time. */
  async function resultsOf(managers: ConnectionManager[], target: Target) {
    const results = await Promise.all(managers.map((manager) => manager.check([target]).next()))
    binding.clearFaults()
    for (const manager of managers) await manager.close()
    return results.map(({ value }) => value)
  }

  it('says nothing of the target: no descriptor', async () => {
    const managers = await Promise.all(engines.map((engine) => warmManager(targets.accept, { engine })))
    binding.inject('socket', 0, constants.errno.EMFILE, 0)
    const told = { status: 'unknown', code: 'EMFILE', errnoClass: 'local' }
    expect(await resultsOf(managers, targets.accept)).toMatchObject(engines.map(() => told))
  })

  it('says nothing of the target: no thread, though a full backlog has the same errno', async () => {
    const managers = engines.map((engine) => new ConnectionManager({ engine }))
    binding.inject('pthread_create', 0, constants.errno.EAGAIN, 0)
    const told = { status: 'unknown', code: 'EAGAIN', errnoClass: 'local' }
    expect(await resultsOf(managers, targets.stall)).toMatchObject(engines.map(() => told))
  })
})
