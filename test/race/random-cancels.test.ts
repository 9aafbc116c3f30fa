import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ConnectionManager, ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { descriptorsFree } from '#internal/bridge/machine'
import { held, listenersOn, nothingLeft, threads } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { randomFrom } from '../support/random.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

/** `CANCELPOINT_SEED=n` repeats a run's choices; `CANCELPOINT_FULL=1` makes it the whole ten thousand. */
const seed = Number(process.env.CANCELPOINT_SEED ?? (Math.random() * 2 ** 31) | 0)
const full = process.env.CANCELPOINT_FULL === '1'
const cancels = full ? 10_000 : 2_000
const atOnce = 50

const targets = useStations()
afterEach(() => binding.clearFaults())

/** Everything counted, once nothing is under way and every manager is closed. */
const settledCounts = () => ({ ...held(), ledger: ledger(), threads: threads() })

/** Engine, how many under way, how many of them over AF_UNIX: all of those sit on lanes in the end. */
const masses = [
  ['blocking', 1_000, 500],
  // As many as the descriptors of this process allow, with some to spare.
  ['nonblocking', Math.min(10_000, descriptorsFree() - 100), 100],
] as const

describe.each(masses)('%s engine: %i under way, %i of them over AF_UNIX', (engine, count, overUnix) => {
  it.each(full ? [1, 2, 3] : [1])('are aborted at once: round %i', { timeout: 60_000 }, async () => {
    await (await warmManager(targets.accept, { engine })).close()
    const before = settledCounts()
    const lanes = engine === 'blocking' ? count : overUnix
    const manager = await warmManager(targets.accept, { engine, maxInFlight: count, lanes })
    const warm = held()
    const controller = new AbortController()
    const { signal } = controller
    countCalls()
    const calls = Array.from({ length: count }, (_, i) =>
      manager.connect(i < overUnix ? targets.stall : targets.hang, {
        signal,
        timeoutMs: 60_000,
        attemptTimeoutMs: 60_000,
      }),
    )
    const openAtRejection: number[] = []
    const settled = Promise.all(
      calls.map((call) =>
        call.catch((error) => {
          openAtRejection.push(ledger().descriptors)
          return error
        }),
      ),
    )
    // The nonblocking engine asks a full backlog once, and has a lane ask again.
    await blockedInConnect(engine === 'blocking' ? count : count + overUnix)
    expect(ledger()).toEqual({ descriptors: count, buffers: count, lanes, attempts: count })
    expect(listenersOn(signal)).toBe(1)

    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const abortedAt = performance.now()
    controller.abort(new Error('why'))
    const errors = await settled
    const tookMs = performance.now() - abortedAt
    delay.disable()
    console.log(
      `${count} under way: ${tookMs.toFixed(1)} ms from abort() to the last rejection, ` +
        `longest turn ${(delay.max / 1e6).toFixed(1)} ms`,
    )
    for (const error of errors) expect(error).toMatchObject({ code: 'ABORT_ERR', cause: signal.reason })
    // Each rejection comes after the release of its own: the first with all but one open at most, the last with none.
    openAtRejection.forEach((open, index) => {
      expect(open).toBeLessThanOrEqual(count - 1 - index)
    })
    expect(held()).toEqual(warm)
    expect(listenersOn(signal)).toBe(0)
    await manager.close()
    await expect.poll(settledCounts, { timeout: 10_000 }).toEqual(before)
  })
})

describe.each(engines)('randomised cancels: %s engine', (engine) => {
  it(`leave nothing: ${cancels} with seed ${seed}`, { timeout: full ? 300_000 : 60_000 }, async () => {
    console.log(`CANCELPOINT_SEED=${seed}`)
    await (await warmManager(targets.accept, { engine })).close()
    const before = settledCounts()
    const random = randomFrom(seed)
    const manager = new ConnectionManager({ engine, lanes: 40 })
    // Two reactors make all the calls that forty lanes share.
    binding.jitter(seed, engine === 'nonblocking' ? 10 : 400)
    const became = { aborted: 0, delivered: 0, failed: 0 }
    for (let done = 0; done < cancels; done += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, () => cancelOne(manager, random, became)))
      const { descriptors, buffers, attempts } = ledger()
      expect({ descriptors, buffers, attempts }, `after ${done + atOnce}`).toEqual({
        descriptors: 0,
        buffers: 0,
        attempts: 0,
      })
    }
    binding.clearFaults()
    console.log(`${cancels} cancels became ${JSON.stringify(became)}`)
    // It raced: cancels came before, during and after.
    for (const each of Object.values(became)) expect(each).toBeGreaterThan(cancels / 100)
    expect(became.aborted + became.delivered + became.failed).toBe(cancels)
    await manager.close()
    expect(ledger()).toEqual(nothingLeft)
    await expect.poll(settledCounts, { timeout: 10_000 }).toEqual(before)
  })
})

type Became = { aborted: number; delivered: number; failed: number }

/** One call to a random target, by a random method, aborted at a random moment: from at once to too late. */
async function cancelOne(manager: ConnectionManager, random: () => number, became: Became): Promise<void> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const target = targets[pick(['accept', 'accept', 'hang', 'stall', 'refuse'] as const)]
  const method = pick(['connect', 'open', 'open'] as const)
  const controller = new AbortController()
  const call = manager[method](target, { signal: controller.signal, retry: false })
  abortAt(random(), controller)
  try {
    const value = await call
    became.delivered += 1
    if ('adopt' in value) value.close()
    else await closeSocket(value)
    // What never was cancelled may hang no longer than this test does.
    controller.abort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ABORT_ERR') became.aborted += 1
    else if (code === 'ECONNREFUSED') became.failed += 1
    else throw error
  }
  expect(listenersOn(controller.signal)).toBe(0)
}

/** A tenth each: now, a microtask, a tick, an immediate; the rest within the time that a jittered attempt takes. */
function abortAt(moment: number, controller: AbortController): void {
  const abort = () => controller.abort()
  if (moment < 0.1) abort()
  else if (moment < 0.2) queueMicrotask(abort)
  else if (moment < 0.3) process.nextTick(abort)
  else if (moment < 0.4) setImmediate(abort)
  else setTimeout(abort, (moment - 0.4) * 80)
}

/** Its pool starts with its first blocking connect. */
async function warmPosix(): Promise<void> {
  const fd = posix.socket('inet')
  await posix.connect(fd, { family: 'inet', address: '127.0.0.1', port: portOf(targets.accept) })
  posix.close(fd)
}

describe('randomised cancels of cancelpoint/posix', () => {
  it(`never touch the caller's descriptor: seed ${seed}`, async () => {
    const random = randomFrom(seed + 1)
    await warmPosix()
    const before = held()
    const codes = new Set<unknown>()
    binding.jitter(seed, 300)
    for (let i = 0; i < (full ? 2_000 : 200); i += 1) {
      const fd = posix.socket('inet')
      const port = portOf(random() < 0.5 ? targets.accept : targets.hang)
      const controller = new AbortController()
      const call = posix.connect(fd, { family: 'inet', address: '127.0.0.1', port }, { signal: controller.signal })
      abortAt(random(), controller)
      const outcome = await call.catch((error) => error.code)
      codes.add(outcome)
      // Success stands, though a cancel came as connect(2) returned.
      if (outcome === 0) expect(posix.getpeername(fd)).toMatchObject({ port })
      expect(listenersOn(controller.signal)).toBe(0)
      posix.close(fd)
    }
    expect([...codes].filter((code) => code !== 0 && code !== 'ABORT_ERR')).toEqual([])
    expect(held()).toEqual(before)
  })
})

describe('a cancel as connect(2) returns', () => {
  /** Aimed at the instant in which the cancel stays pending: the lane must not take it along to its next attempt. */
  it('never reaches the next attempt', { timeout: 120_000 }, async () => {
    const random = randomFrom(seed + 2)
    const manager = await warmManager(targets.accept, { lanes: 1 })
    let typicalMs = 0.2
    for (let i = 0; i < (full ? 20_000 : 2_000); i += 1) {
      const controller = new AbortController()
      const startedAt = performance.now()
      const cancelled = manager.open(targets.accept, { signal: controller.signal }).then(
        (descriptor) => descriptor.close(),
        (error) => expect(error).toMatchObject({ code: 'ABORT_ERR' }),
      )
      const innocent = manager.open(targets.accept, { timeoutMs: 5_000 })
      await new Promise<void>((resolve) => process.nextTick(resolve))
      while (performance.now() - startedAt < typicalMs * 2 * random());
      controller.abort()
      await cancelled
      typicalMs += (performance.now() - startedAt - typicalMs) * 0.05
      ;(await innocent).close()
    }
    await manager.close()
    // Those of cancelpoint/posix, if it ran before, retire by themselves.
    await expect.poll(ledger, { timeout: 10_000 }).toEqual(nothingLeft)
  })
})
