/**
 * Both engines carry out the same random schedule: calls to whatever there is on loopback, with deadlines and cancels at every
 * stage. What a call comes to, what is told on the diagnostics channels, what is counted and what is held must all be the same.
 * Durations are left out, and the one thing that the kernel's timing decides has a test of its own: whether a peer's
 * reset comes before its success is verified.
 */
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type CheckResult,
  type ConnectError,
  type ConnectionManager,
  type ConnectOptions,
  type Descriptor,
  ledger,
} from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { held } from '../support/counts.js'
import { listen } from '../support/events.js'
import { randomFrom } from '../support/random.js'
import { Sockets } from '../support/sockets.mjs'
import { openStage } from '../support/stage.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const seed = Number(process.env.CANCELPOINT_SEED ?? (Math.random() * 2 ** 31) | 0)
const schedules = process.env.CANCELPOINT_FULL === '1' ? 60 : 5
/** So few that none of them waits for the window to grow: that would be a matter of time. */
const callsEach = 40

interface Place {
  /** Of a name only the port: each call has a name of its own, for a manager remembers who won a race. */
  target: string
  addresses?: string[]
  ends: readonly End[]
}
type End = (typeof ofAny)[number] | (typeof ofSilent)[number] | (typeof ofAnswering)[number]

/** Aborted before the call, with it, and while it waits for others of its engine to end. */
const ofAny = ['aborted', 'same turn', 'queued'] as const
/** Where nobody answers: a cancel inside connect, the attempt's deadline and the call's. Elsewhere who comes first is chance. */
const ofSilent = ['cancel', 'deadline', 'call deadline'] as const
/** Where somebody does: its own end, and a cancel after that. */
const ofAnswering = ['own', 'too late'] as const
const silent = [...ofAny, ...ofSilent]
const answering = [...ofAny, ...ofAnswering]

const targets = useStations()
const sockets = new Sockets()
const places: Record<string, Place> = {}
/** One that has room for all, and one whose only two places are taken. */
const managers = {} as Record<(typeof engines)[number], { wide: ConnectionManager; full: ConnectionManager }>
const holders = new AbortController()

beforeAll(async () => {
  const { port, hang, accept, refuse } = await openStage(sockets)
  const named = (addresses: string[], ends: readonly End[]): Place => ({ target: `:${port}`, addresses, ends })
  places.accept = { target: targets.accept, ends: answering }
  places.refuse = { target: targets.refuse, ends: answering }
  places.hang = { target: targets.hang, ends: silent }
  places.stall = { target: targets.stall, ends: silent }
  places.unix = { target: unixTarget(sockets.listener('unix', { backlog: 4_096 })), ends: answering }
  places['unix refused'] = { target: unixTarget(sockets.bound('unix')), ends: answering }
  places['unix absent'] = { target: `unix:${sockets.directory()}/absent`, ends: answering }
  places['second accepts'] = named([refuse[0]!, accept[0]!], answering)
  places['raced past a silent one'] = named([hang[0]!, accept[1]!], answering)
  places['all refuse'] = named(refuse, answering)
  places['none answers'] = named(hang, silent)
  places['no address'] = named([], answering)
  for (const engine of engines) {
    const wide = await warmManager(targets.accept, { engine, maxInFlight: 100 })
    const full = await warmManager(targets.accept, { engine, maxInFlight: 2 })
    for (let i = 0; i < 2; i += 1) full.connect(targets.hang, forEver(holders.signal)).catch(() => {})
    managers[engine] = { wide, full }
  }
  while (ledger().descriptors < 4) await wait(1)
})
afterAll(async () => {
  holders.abort()
  for (const { wide, full } of Object.values(managers)) await Promise.all([wide.close(), full.close()])
  sockets.close()
})

function unixTarget(fd: number): string {
  const { path } = posix.getsockname(fd) as { path: string }
  return `unix:${path.replace('\0', '@')}`
}

const forEver = (signal: AbortSignal) => ({ signal, attemptTimeoutMs: Infinity, timeoutMs: Infinity })

interface Step {
  method: 'connect' | 'open' | 'check'
  place: string
  name: string
  end: End
  tries: number
  /** When it is started, and how long after that it is cancelled or too late. Milliseconds. */
  afterMs: number
  endMs: number
}

function scheduleOf(each: number): Step[] {
  const random = randomFrom(each)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  return Array.from({ length: callsEach }, (_, i) => {
    const place = pick(Object.keys(places))
    return {
      method: pick(['connect', 'open', 'check'] as const),
      place,
      name: `name-${each}-${i}.test`,
      end: pick(places[place]!.ends),
      tries: pick([1, 1, 2]),
      afterMs: Math.floor(random() * 50),
      // Of two addresses the second has its turn after 250 ms at the earliest.
      endMs: 60 + Math.floor(random() * 60),
    }
  })
}

async function carryOut(engine: (typeof engines)[number], step: Step): Promise<string> {
  const { method, place, name, end, tries, afterMs, endMs } = step
  const { target, addresses } = places[place]!
  await wait(afterMs)
  const controller = new AbortController()
  const { signal } = controller
  if (end === 'aborted') controller.abort()
  const options: ConnectOptions = {
    signal,
    lookup: async () => addresses ?? [],
    attemptTimeoutMs: end === 'deadline' ? endMs : 20_000,
    timeoutMs: end === 'call deadline' ? endMs : 60_000,
    retry: tries > 1 && { tries, baseMs: 1, budget: 1 },
  }
  const manager = managers[engine][end === 'queued' ? 'full' : 'wide']
  const call = run(
    manager,
    method,
    addresses ? `${name}${target}` : target,
    options,
    () => end === 'too late' && controller.abort(),
  )
  if (end === 'same turn') controller.abort()
  const timer = ['cancel', 'queued'].includes(end) ? setTimeout(() => controller.abort(), endMs) : undefined
  const verdict = await call.catch((error) => told(error, engine))
  clearTimeout(timer)
  return `${method} ${place}, ${end}, ${tries}: ${JSON.stringify(verdict)}`
}

/** What the call comes to; `settled` is told before it is looked at. */
async function run(
  manager: ConnectionManager,
  method: Step['method'],
  target: string,
  options: ConnectOptions,
  settled: () => void,
): Promise<unknown> {
  if (method === 'check') {
    const results: object[] = []
    for await (const result of manager.check([target], options)) results.push(lasting(result))
    return results
  }
  const connected = await manager[method](target, options)
  settled()
  await wait(1)
  return 'adopt' in connected ? seen(connected) : seenOf(connected)
}

function seen(descriptor: Descriptor): unknown {
  const { fd } = descriptor
  const ends = [posix.getpeername(fd), binding.isNonblocking(fd), posix.socketError(fd)]
  descriptor.close()
  return ends
}

async function seenOf(socket: Socket): Promise<unknown> {
  const ends = [socket.remoteAddress, socket.remotePort, socket.readyState]
  await closeSocket(socket)
  return ends
}

/** Without times, its own and those in its words. */
function lasting({ startedAt: _, connectMs, nameMs, reason, ...rest }: CheckResult) {
  const timed = [connectMs, nameMs].map((ms) => ms !== undefined)
  return { ...rest, timed, reason: reason?.replace(/\d+ ms/, 'some ms') }
}

function told(error: ConnectError, engine: string): unknown {
  const { name, code, errno, errnoClass, syscall, timedOutBy, address, port, path, errors, attempts } = error
  if (name !== 'ConnectError') return [name, code]
  for (const attempt of attempts) expect(attempt.engine).toBe(engine)
  const tried = attempts.map((attempt) => [attempt.endpoint, attempt.code, attempt.errnoClass])
  return [code, errno, errnoClass, syscall, timedOutBy, address, port, path, tried, errors?.map((each) => each.code)]
}

/** Everything about one run that must not depend on the engine. */
async function observe(engine: (typeof engines)[number], schedule: readonly Step[]) {
  const { wide, full } = managers[engine]
  const before = held()
  const counted = [wide.stats(), full.stats()]
  const events = listen()
  const verdicts = await Promise.all(schedule.map((step) => carryOut(engine, step)))
  events.stop()
  expect(held()).toEqual(before)
  const counts = [wide.stats(), full.stats()].map((stats, i) => {
    const { delivered, failed, cancelled, retries, requeues } = counted[i]!
    return {
      delivered: stats.delivered - delivered,
      failed: stats.failed - failed,
      cancelled: stats.cancelled - cancelled,
      retries: stats.retries - retries,
      requeues: stats.requeues - requeues,
      left: [stats.inFlight, stats.waiting],
    }
  })
  const messages = events.heard.map(({ channel, message }) => {
    if ('engine' in message) expect(message.engine).toBe(engine)
    const { startedAt: _, durationMs: _1, delayMs: _2, engine: _3, attempts: _4, ...rest } = message
    return `${channel} ${JSON.stringify(rest)}`
  })
  return { verdicts, counts, messages: messages.sort() }
}

describe('the same schedule on both engines', () => {
  it.each(Array.from({ length: schedules }, (_, index) => seed + index))(
    'comes to the same: seed %i',
    { timeout: 60_000 },
    async (each) => {
      const schedule = scheduleOf(each)
      const blocking = await observe('blocking', schedule)
      expect(await observe('nonblocking', schedule)).toEqual(blocking)
      expect(new Set(blocking.verdicts.map((verdict) => verdict.split(': ')[1])).size).toBeGreaterThan(6)
    },
  )
})

describe.each(engines)('a peer that resets at once, %s engine', (engine) => {
  it('was there, or has reset: nothing else', async () => {
    const { wide } = managers[engine]
    const verdict = async (call: Promise<unknown>) =>
      call.then(
        () => 'connected',
        ({ code, errnoClass, syscall }) => [code, errnoClass, syscall].join(' '),
      )
    const either = ['connected', 'ECONNRESET refused connect']
    for (let i = 0; i < 20; i += 1) {
      expect(either).toContain(await verdict(wide.connect(targets.reset).then(closeSocket)))
      expect(either).toContain(await verdict(wide.open(targets.reset).then((descriptor) => descriptor.close())))
      for await (const { status, code, errnoClass } of wide.check([targets.reset]))
        expect(['up  ', 'down ECONNRESET refused']).toContain([status, code, errnoClass].join(' '))
    }
  })
})
