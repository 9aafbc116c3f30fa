/**
 * Both engines carry out the same random schedule: calls to every kind of station, with deadlines and cancels. Whatever the
 * schedule decides alone, and no race does, must come out the same.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionManager, ledger } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closed } from '#internal/secure'
import { randomFrom } from '../support/random.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const seed = Number(process.env.CANCELPOINT_SEED ?? (Math.random() * 2 ** 31) | 0)
const schedules = process.env.CANCELPOINT_FULL === '1' ? 40 : 4
const callsEach = 60

const targets = useStations()
const managers = new Map<string, ConnectionManager>()
beforeAll(async () => {
  for (const engine of engines) managers.set(engine, await warmManager(targets.accept, { engine, maxInFlight: 100 }))
})
afterAll(() => Promise.all([...managers.values()].map((manager) => manager.close())))

interface Step {
  method: 'connect' | 'open' | 'check'
  station: 'accept' | 'refuse' | 'hang' | 'stall' | 'slow' | 'reset'
  /** When it is started, and how it ends if nothing else does. Milliseconds. */
  afterMs: number
  end: 'before' | 'same turn' | 'cancel' | 'deadline'
  endMs: number
}

function scheduleOf(random: () => number): Step[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  return Array.from({ length: callsEach }, () => {
    const station = pick(['accept', 'refuse', 'hang', 'stall', 'slow', 'reset'] as const)
    const hangs = station === 'hang' || station === 'stall'
    return {
      method: pick(['connect', 'open', 'check'] as const),
      station,
      afterMs: Math.floor(random() * 50),
      // A cancel or a short deadline decides only where nothing answers; elsewhere who comes first is chance.
      end: hangs ? pick(['before', 'same turn', 'cancel', 'deadline'] as const) : pick(['before', 'deadline'] as const),
      endMs: hangs ? 20 + Math.floor(random() * 80) : 20_000,
    }
  })
}

async function carryOut(manager: ConnectionManager, { method, station, afterMs, end, endMs }: Step): Promise<string> {
  await wait(afterMs)
  const controller = new AbortController()
  const { signal } = controller
  if (end === 'before') controller.abort()
  const options = { signal, attemptTimeoutMs: end === 'deadline' ? endMs : 20_000 }
  const result = run(manager, method, targets[station], options)
  if (end === 'same turn') controller.abort()
  const timer = end === 'cancel' ? setTimeout(() => controller.abort(), endMs) : undefined
  const verdict = await result.catch(({ code, errnoClass, syscall, timedOutBy }) =>
    [code, errnoClass, syscall, timedOutBy].join(' '),
  )
  clearTimeout(timer)
  // Whether a peer's reset comes before its success is verified is the peer's doing.
  if (station === 'reset' && /^(connected|up|(down )?ECONNRESET)/.test(verdict)) return `${method} reset ${end}: either`
  return `${method} ${station} ${end}: ${verdict}`
}

async function run(
  manager: ConnectionManager,
  method: Step['method'],
  target: string,
  options: { signal: AbortSignal; attemptTimeoutMs: number },
): Promise<string> {
  if (method === 'connect') await closed(await manager.connect(target, options))
  else if (method === 'open') (await manager.open(target, options)).close()
  else
    for await (const { status, code, errnoClass, attempts } of manager.check([target], options))
      return [status, code, errnoClass, attempts].join(' ')
  return 'connected'
}

describe('the same schedule on both engines', () => {
  it.each(Array.from({ length: schedules }, (_, index) => seed + index))(
    'comes to the same: seed %i',
    { timeout: 60_000 },
    async (each) => {
      const schedule = scheduleOf(randomFrom(each))
      const verdicts: string[][] = []
      for (const manager of managers.values()) {
        verdicts.push(await Promise.all(schedule.map((step) => carryOut(manager, step))))
        const { descriptors, buffers, attempts } = ledger()
        expect({ descriptors, buffers, attempts }).toEqual({ descriptors: 0, buffers: 0, attempts: 0 })
      }
      expect(new Set(verdicts[0]!.map((verdict) => verdict.split(': ')[1])).size).toBeGreaterThan(3)
      expect(verdicts[1]).toEqual(verdicts[0])
    },
  )
})
