import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { constants } from 'node:os'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { held } from '../support/counts.js'
import { channels, listen, type Message } from '../support/events.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const number = expect.any(Number)

describe.each(engines)('diagnostics_channel, %s engine', (engine) => {
  let manager: ConnectionManager
  let told: ReturnType<typeof listen> | undefined

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())
  afterEach(() => {
    told?.stop()
    told = undefined
  })

  /** Exactly these, in this order. */
  function expectTold(...expected: [string, Message][]): void {
    expect(told!.heard.map(({ channel, message }) => [channel, message])).toEqual(expected)
  }

  it('tells a connect: start, end, delivery', async () => {
    told = listen()
    await closeSocket(await manager.connect(targets.accept))
    const attempt = { endpoint: targets.accept, engine }
    const attempts = [{ ...attempt, startedAt: number, durationMs: number }]
    expectTold(
      ['attempt:start', attempt],
      ['attempt:end', { ...attempts[0], state: 'connected' }],
      ['delivery', { target: targets.accept, attempts, durationMs: number }],
    )
  })

  it('tells a retry, and what failed', async () => {
    told = listen()
    await expect(manager.connect(targets.refuse, { retry: { tries: 2, baseMs: 1 } })).rejects.toThrow('ECONNREFUSED')
    const attempt = { endpoint: targets.refuse, engine }
    const why = { code: 'ECONNREFUSED', errnoClass: 'refused' }
    const ended: Message = { ...attempt, ...why, state: 'failed', startedAt: number, durationMs: number }
    expectTold(
      ['attempt:start', attempt],
      ['attempt:end', ended],
      ['retry', { target: targets.refuse, ...why, action: 'retry', delayMs: number }],
      ['attempt:start', attempt],
      ['attempt:end', ended],
    )
  })

  it('tells a cancel once, however often it is asked for', async () => {
    told = listen()
    const controller = new AbortController()
    const call = manager.connect(targets.hang, { signal: controller.signal, timeoutMs: 60_000 })
    setTimeout(() => controller.abort(), 30)
    await expect(call).rejects.toMatchObject({ code: 'ABORT_ERR' })
    controller.abort()
    const attempt = { endpoint: targets.hang, engine }
    expectTold(
      ['attempt:start', attempt],
      ['attempt:cancel', attempt],
      ['attempt:end', { ...attempt, state: 'cancelled', startedAt: number, durationMs: number }],
    )
  })

  it('tells each target of a check, which delivers nothing', async () => {
    told = listen()
    for await (const _ of manager.check([targets.accept, targets.refuse, targets.accept]));
    const count = (channel: (typeof channels)[number]) => told!.of(channel).length
    expect(channels.map(count)).toEqual([3, 3, 0, 0, 0])
  })

  it('is told nothing where nobody listens', async () => {
    const spies = channels.map((name) => vi.spyOn(channel(`cancelpoint:${name}`), 'publish'))
    await closeSocket(await manager.connect(targets.accept))
    await manager.connect(targets.refuse, { retry: { tries: 2, baseMs: 1 } }).catch(() => {})
    await manager.connect(targets.hang, { signal: AbortSignal.timeout(20) }).catch(() => {})
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })

  describe('an abort by whoever listens', () => {
    const name = (target: string) => target.replace(/^[^:]+/, 'listened.test')
    const lookup = async () => ['127.0.0.1']
    const cases: [string, string, (signal: AbortSignal, one: ConnectionManager) => Promise<unknown>][] = [
      ['the start of an attempt', 'attempt:start', (signal, one) => one.open(targets.hang, { signal })],
      ['the start of a name’s', 'attempt:start', (signal, one) => one.open(name(targets.hang), { signal, lookup })],
      ['the end of one', 'attempt:end', (signal, one) => one.open(targets.refuse, { signal })],
      ['the end of a check’s', 'attempt:end', (signal, one) => drain(one.check([targets.refuse], { signal }))],
      ['a retry', 'retry', (signal, one) => one.open(targets.refuse, { signal, retry: { tries: 2 } })],
      ['a requeue', 'retry', (signal, one) => withoutSocket(() => one.open(targets.hang, { signal }))],
      [
        'the start of one requeued',
        'attempt:start',
        (signal, one) => withoutSocket(() => one.open(targets.hang, { signal })),
      ],
    ]

    async function drain(results: AsyncIterable<unknown>): Promise<void> {
      for await (const _ of results);
    }

    function withoutSocket<T>(call: () => T): T {
      binding.inject('socket', 1, constants.errno.EMFILE, 0)
      return call()
    }

    it.each(cases)('of %s leaves nothing, and no place taken', async (what, on, call) => {
      await using one = await warmManager(targets.accept, { engine, maxInFlight: 1 })
      onTestFinished(() => binding.clearFaults())
      const before = held()
      const controller = new AbortController()
      let left = what === 'the start of one requeued' ? 2 : 1
      const abort = () => {
        left -= 1
        if (left === 0) controller.abort()
      }
      subscribe(`cancelpoint:${on}`, abort)
      onTestFinished(() => void unsubscribe(`cancelpoint:${on}`, abort))
      await expect(call(controller.signal, one)).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(held()).toEqual(before)
      unsubscribe(`cancelpoint:${on}`, abort)
      ;(await one.open(targets.accept)).close()
      expect(one.stats()).toMatchObject({ inFlight: 0, waiting: 0 })
    })

    it('of the start that a place was given up for leaves nothing of a check', async () => {
      await using one = await warmManager(targets.accept, { engine, maxInFlight: 2 })
      const before = held()
      const controller = new AbortController()
      let starts = 0
      const abort = () => {
        starts += 1
        if (starts === 3) controller.abort()
      }
      subscribe('cancelpoint:attempt:start', abort)
      onTestFinished(() => void unsubscribe('cancelpoint:attempt:start', abort))
      const checked = [targets.accept, targets.hang, targets.hang, targets.hang]
      const call = drain(one.check(checked, { signal: controller.signal }))
      await expect(call).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(held()).toEqual(before)
    })

    it('of a start that waited for its turn leaves nothing', async () => {
      await using one = await warmManager(targets.accept, { engine, maxInFlight: 1 })
      const before = held()
      const controller = new AbortController()
      const first = one.open(targets.hang, { attemptTimeoutMs: 50, retry: false }).catch((error) => error.code)
      const second = one.open(targets.hang, { signal: controller.signal })
      const abort = () => controller.abort()
      const since = setTimeout(() => subscribe('cancelpoint:attempt:start', abort), 20)
      onTestFinished(() => clearTimeout(since))
      onTestFinished(() => void unsubscribe('cancelpoint:attempt:start', abort))
      await expect(second).rejects.toMatchObject({ code: 'ABORT_ERR' })
      expect(await first).toBe('ETIMEDOUT')
      expect(held()).toEqual(before)
    })
  })
})
