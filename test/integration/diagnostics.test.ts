import { channel } from 'node:diagnostics_channel'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { closed } from '#internal/secure'
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
    await closed(await manager.connect(targets.accept))
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
    await closed(await manager.connect(targets.accept))
    await manager.connect(targets.refuse, { retry: { tries: 2, baseMs: 1 } }).catch(() => {})
    await manager.connect(targets.hang, { signal: AbortSignal.timeout(20) }).catch(() => {})
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })
})
