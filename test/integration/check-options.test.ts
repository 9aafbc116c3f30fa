import { once } from 'node:events'
import { BlockList, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type CheckOptions, type CheckResult, ConnectionManager, ledger, type Target } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { listen } from '../support/events.js'
import { lackingIpv6 } from '../support/sockets.mjs'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

const badError = {
  get message() {
    throw undefined
  },
}

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine, retry: undefined })
  })
  afterAll(() => manager.close())
  afterEach(() => binding.clearFaults())

  async function resultsOf(source: Iterable<Target>, options?: CheckOptions): Promise<CheckResult[]> {
    const results: CheckResult[] = []
    for await (const result of manager.check(source, options)) results.push(result)
    return results
  }

  const times = (count: number, target: Target): Target[] => Array.from({ length: count }, () => target)
  const statuses = (results: readonly CheckResult[]) => results.map(({ status }) => status)

  /** Addresses of 127/8 at the port of a target there. */
  const elsewhere = (target: string, last: number): string => `127.0.9.${last}:${portOf(target)}`

  describe('retry', () => {
    it('is off by default, whatever connect does', async () => {
      expect(await resultsOf([targets.refuse])).toMatchObject([{ status: 'down', attempts: 1 }])
    })

    it('tries again where it is on, and counts the attempts', async () => {
      const retry = { tries: 4, baseMs: 1 }
      const results = await resultsOf([targets.refuse, targets.accept], { retry })
      expect(results).toHaveLength(2)
      expect(results.find(({ target }) => target === targets.refuse)).toMatchObject({ status: 'down', attempts: 4 })
      expect(results.find(({ target }) => target === targets.accept)).toMatchObject({ status: 'up', attempts: 1 })
    })
  })

  describe('ratePerSecond', () => {
    const perSecond = 40

    /** When attempts started, counted from before the first token was taken. Milliseconds. */
    async function starts(run: () => Promise<unknown>): Promise<number[]> {
      const told = listen()
      const since = performance.now()
      await run()
      told.stop()
      const moments = told.heard.flatMap(({ channel, at }) => (channel === 'attempt:start' ? [at] : []))
      return moments.map((at) => at - since)
    }

    /** Never earlier than its token: a tenth of a second's worth at once, then one at a time. */
    function expectPaced(moments: readonly number[], count: number): void {
      expect(moments).toHaveLength(count)
      const burst = perSecond / 10
      for (const [i, moment] of moments.entries())
        expect(moment, `start ${i}`).toBeGreaterThan(((i + 1 - burst) * 1000) / perSecond - 2)
    }

    it('paces the starts', async () => {
      expectPaced(await starts(() => resultsOf(times(20, targets.accept), { ratePerSecond: perSecond })), 20)
    })

    it('counts what is tried again', async () => {
      const retry = { tries: 3, baseMs: 1 }
      expectPaced(await starts(() => resultsOf(times(6, targets.refuse), { ratePerSecond: perSecond, retry })), 18)
    })

    it('counts each of a name’s addresses', async () => {
      const lookup = async () => Array.from({ length: 12 }, (_, i) => `127.0.9.${i + 1}`)
      const target = `fleet.test:${portOf(targets.accept)}`
      const options = { ratePerSecond: perSecond, allAddresses: true, lookup }
      expectPaced(await starts(() => resultsOf([target], options)), 12)
    })

    it('keeps an abort waiting for nobody’s turn', async () => {
      const controller = new AbortController()
      const call = resultsOf(times(50, targets.accept), { ratePerSecond: 1, signal: controller.signal })
      setTimeout(() => controller.abort(), 20)
      await expect(call).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(manager.stats()).toMatchObject({ inFlight: 0, waiting: 0 })
    })
  })

  describe('perHost', () => {
    it('is the most that is in flight to one address', async () => {
      let most = 0
      const watch = setInterval(() => {
        most = Math.max(most, ledger().descriptors)
      }, 1)
      const results = await resultsOf(times(12, targets.hang), { perHost: 3, attemptTimeoutMs: 60 })
      clearInterval(watch)
      expect(statuses(results)).toEqual(Array(12).fill('down'))
      expect(most).toBe(3)
    })

    it('holds nobody back at other addresses', async () => {
      const hanging = times(4, targets.hang)
      const others = Array.from({ length: 20 }, (_, i) => elsewhere(targets.accept, i + 1))
      const results = await resultsOf([...hanging, ...others], { perHost: 1, attemptTimeoutMs: 150 })
      // The hanging ones come one after the other, and last.
      expect(statuses(results.slice(0, 20))).toEqual(Array(20).fill('up'))
      expect(results.slice(20).map(({ target }) => target)).toEqual(hanging)
    })

    it('is no host’s reason to wait for itself: tried again, and requeued', async () => {
      const retry = { tries: 3, baseMs: 1 }
      const results = await resultsOf(times(3, targets.refuse), { perHost: 1, retry })
      expect(results).toMatchObject(Array(3).fill({ status: 'down', attempts: 3 }))
      binding.inject('socket', 1, 24, 0)
      expect(await resultsOf([targets.accept], { perHost: 1 })).toMatchObject([{ status: 'up', attempts: 2 }])
    })
  })

  describe('halfOpen', () => {
    it('finds a listener up that never accepts anything', async () => {
      let accepted = 0
      const server = createServer((socket) => {
        accepted += 1
        socket.destroy()
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const address = server.address() as { port: number }
      const results = await resultsOf(times(20, `127.0.0.1:${address.port}`), { halfOpen: true })
      expect(statuses(results)).toEqual(Array(20).fill('up'))
      await wait(100)
      expect(accepted).toBe(0)
    })

    it('tells the others apart as ever', async () => {
      const list = [targets.refuse, targets.hang, targets.stall]
      const results = await resultsOf(list, { halfOpen: true, attemptTimeoutMs: 100 })
      const codes = new Map(results.map(({ target, status, code }) => [target, `${status} ${code}`]))
      expect(list.map((target) => codes.get(target))).toEqual(['down ECONNREFUSED', 'down ETIMEDOUT', 'down ETIMEDOUT'])
    })

    it('and tls exclude each other', async () => {
      await expect(resultsOf([targets.accept], { halfOpen: true, tls: true })).rejects.toThrow(/halfOpen and tls/)
    })
  })

  describe('allAddresses', () => {
    const target = () => `fleet.test:${portOf(targets.accept)}`
    const addresses = (...list: string[]): CheckOptions => ({ allAddresses: true, lookup: async () => list })

    it.skipIf(lackingIpv6)(`gives each of a name’s addresses a result of its own${lackingIpv6 ?? ''}`, async () => {
      const results = await resultsOf([target()], addresses('127.0.9.1', '::1', '127.0.9.2'))
      const port = portOf(targets.accept)
      const byAddress = Object.fromEntries(results.map((result) => [result.address, result]))
      expect(byAddress).toMatchObject({
        '127.0.9.1': { target: target(), port, status: 'up', attempts: 1 },
        '127.0.9.2': { target: target(), port, status: 'up', attempts: 1 },
        '::1': { target: target(), port, status: 'down', code: 'ECONNREFUSED', attempts: 1 },
      })
      expect(results).toHaveLength(3)
    })

    it('is one result where there is one address, or none, or no name', async () => {
      expect(await resultsOf([target()], addresses('127.0.9.1'))).toMatchObject([{ status: 'up' }])
      expect(await resultsOf([target()], addresses())).toMatchObject([{ status: 'down', code: 'ENOTFOUND' }])
      expect(await resultsOf([targets.accept], addresses())).toMatchObject([{ status: 'up' }])
      const lookup = () => Promise.reject(new Error('why'))
      const failed = { status: 'unknown', code: 'ERR_CHECK', reason: 'It could not be checked: why.' }
      expect(await resultsOf([target()], { allAddresses: true, lookup })).toMatchObject([failed])
    })
  })

  describe('blockList', () => {
    const blockList = new BlockList()
    blockList.addSubnet('127.0.8.0', 24)
    const barred = { status: 'unknown', code: 'ERR_BLOCKED', errnoClass: 'denied', attempts: 0 }
    const checked = (target: string, ...addresses: string[]) =>
      resultsOf([target], { blockList, lookup: async () => addresses })

    it('says nothing of a target that it bars: nothing was asked of it', async () => {
      const port = portOf(targets.accept)
      const address = '127.0.8.1'
      expect(await checked(`${address}:${port}`)).toMatchObject([{ ...barred, address, port }])
      expect(await checked(`barred.test:${port}`, address, '127.0.8.2')).toMatchObject([barred])
    })

    it('leaves the word to those of a name’s addresses that it does not bar', async () => {
      const down = { status: 'down', code: 'ECONNREFUSED', address: '127.0.9.1', attempts: 1 }
      const name = `partly.test:${portOf(targets.refuse)}`
      for (const addresses of [
        ['127.0.8.1', '127.0.9.1'],
        ['127.0.9.1', '127.0.8.1'],
      ])
        expect(await checked(name, ...addresses)).toMatchObject([down])
      const up = { status: 'up', address: '127.0.9.1', attempts: 1 }
      expect(await checked(`partly.test:${portOf(targets.accept)}`, '127.0.8.1', '127.0.9.1')).toMatchObject([up])
    })
  })

  describe('bad values', () => {
    it.each<[CheckOptions, RegExp]>([
      [{ ratePerSecond: 0 }, /^ratePerSecond is 0: expected a number a second above 0/],
      [{ ratePerSecond: Number.NaN }, /^ratePerSecond is NaN/],
      [{ perHost: 0 }, /^perHost is 0: expected a whole number from 1/],
      [{ perHost: 1.5 }, /^perHost is 1.5/],
      [{ concurrency: 0 }, /^concurrency is 0: expected a whole number from 1/],
      [{ retry: { tries: 0 } }, /^retry.tries is 0: expected a whole number from 1 up/],
      [{ concurrency: null as never }, /^concurrency is null/],
      [{ retry: 3 as never }, /^retry is 3: expected false or an object/],
      [null as never, /^options is null: expected an object/],
      [5 as never, /^options is 5: expected an object/],
    ])('%o are refused by name', async (options, message) => {
      await expect(resultsOf([targets.accept], options)).rejects.toThrow(message)
      expect(manager.stats().inFlight).toBe(0)
    })
  })

  describe('options', () => {
    it.each([
      [{ localAddress: 'here' }, /localAddress is 'here'/],
      [{ localPort: 70_000 }, /localPort is 70000/],
      [{ blockList: {} }, /blockList is/],
      [{ lookup: 5 }, /lookup is 5/],
      [{ signal: {} }, /signal is/],
    ])('%o is refused by name, and nothing waits for it', async (options, message) => {
      await expect(resultsOf([targets.accept], options as CheckOptions)).rejects.toThrow(message)
    })

    it('that are there but undefined hide no default', async () => {
      await using hasty = new ConnectionManager({ engine, attemptTimeoutMs: 100 })
      const results: CheckResult[] = []
      const options = { attemptTimeoutMs: undefined, retry: undefined }
      for await (const each of hasty.check([targets.hang, targets.refuse], options)) results.push(each)
      expect(results).toMatchObject([
        { status: 'down', code: 'ECONNREFUSED', attempts: 1 },
        { status: 'down', code: 'ETIMEDOUT', attempts: 1 },
      ])
    })

    it('a block list that throws costs its target a result, not the check its end', async () => {
      const blockList = new BlockList()
      blockList.check = () => {
        throw new Error('no list today')
      }
      const results = await resultsOf([targets.accept], { blockList })
      expect(results).toMatchObject([
        { status: 'unknown', code: 'ERR_CHECK', reason: 'It could not be checked: no list today.' },
      ])
    })

    it.each<[string, unknown, string]>([
      ['nothing', undefined, 'undefined was thrown'],
      ['null', null, 'null was thrown'],
      ['a number', 5, '5 was thrown'],
      ['an object without a prototype', Object.create(null), '{} was thrown'],
      ['an error whose message throws', badError, 'an object that cannot be read was thrown'],
    ])('a lookup or block list that throws %s costs its target a result as well', async (_, thrown, reason) => {
      const lookup = () => Promise.reject(thrown)
      const blockList = new BlockList()
      blockList.check = () => {
        throw thrown
      }
      const unreadable = {
        get host() {
          throw thrown
        },
      } as never
      const list = [`some.test:${portOf(targets.accept)}`, targets.accept]
      // A lookup that throws nothing says, after that, that it was the one.
      const said = expect.stringContaining(`It could not be checked: ${reason}`)
      const common = { status: 'unknown', code: 'ERR_CHECK', reason: said, attempts: 0 }
      const failed = list.map((target) => ({ target, ...common }))
      for (const allAddresses of [false, true]) {
        const results = await resultsOf(list, { lookup, blockList, allAddresses })
        expect(results.sort((a, b) => (a.target < b.target ? 1 : -1))).toMatchObject(failed)
      }
      expect(await resultsOf([unreadable])).toMatchObject([{ code: 'ERR_INVALID_TARGET', attempts: 0 }])
      expect(manager.stats().inFlight).toBe(0)
    })
  })
})
