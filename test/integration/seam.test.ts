import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { constants } from 'node:os'
import { ledger } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import type { Outcome } from '#internal/bridge/registry'
import { encodeEndpoint, encodeSocketAddress } from '#internal/core/sockaddr'
import { BlockingEngine } from '#internal/engines/blocking'
import type { Attempt, Engine } from '#internal/engines/engine'
import { NonblockingEngine } from '#internal/engines/nonblocking'
import { held, nothingLeft, threads } from '../support/counts.js'
import { callsMade, countCalls } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

const targets = useStations()

type Code = keyof typeof constants.errno
type Fault = [call: string, code: Code, told: Code, syscall: string]

/** The call that fails, with what, and what the outcome says: of both engines, then of each. */
const ofBoth: Fault[] = [
  ['socket', 'EMFILE', 'EMFILE', 'socket'],
  ['socket', 'EAFNOSUPPORT', 'EAFNOSUPPORT', 'socket'],
  ['connect', 'ENOBUFS', 'ENOBUFS', 'connect'],
  ['connect', 'ENETDOWN', 'ENETDOWN', 'connect'],
  ['connect', 'EADDRINUSE', 'EADDRINUSE', 'connect'],
  ['getsockopt', 'ENOBUFS', 'ENOBUFS', 'getsockopt'],
  // The peer reset between SO_ERROR and the question who it is.
  ['getpeername', 'ENOTCONN', 'ECONNRESET', 'connect'],
  ['getpeername', 'ENOBUFS', 'ENOBUFS', 'getpeername'],
  ['getsockname', 'ENOBUFS', 'ENOBUFS', 'getsockname'],
  ['malloc', 'ENOMEM', 'ENOMEM', 'malloc'],
]
const faults: Record<(typeof engines)[number], Fault[]> = {
  blocking: [...ofBoth, ['setsockopt', 'ENOMEM', 'ENOMEM', 'setsockopt'], ['fcntl', 'EPERM', 'EPERM', 'fcntl']],
  nonblocking: ofBoth,
}

function attempt(
  engine: Engine,
  target = targets.accept,
  localPort?: number,
): { outcome: Promise<Outcome>; cancel(): void } {
  const remote = encodeEndpoint({ family: 'inet', address: '127.0.0.1', port: portOf(target) })
  let attempt: Attempt
  const outcome = new Promise<Outcome>((resolve) => {
    const local =
      localPort === undefined
        ? undefined
        : encodeSocketAddress({ family: 'inet', address: '127.0.0.1', port: localPort })
    attempt = engine.submit({ family: 'inet', remote, local, timeoutMs: 5_000 }, { settle: resolve })
  })
  return { outcome, cancel: () => attempt.cancel() }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** An attempt that nothing disturbs. */
async function connects(engine: Engine): Promise<void> {
  const outcome = await attempt(engine).outcome
  if (outcome.state !== 'connected') throw new Error(`expected a connection, not ${JSON.stringify(outcome)}`)
  outcome.claim!.close()
}

/** Beneath the supervisor, which would try again. */
const lanes = new BlockingEngine({ lanes: 4 })
const engineOf = { blocking: lanes, nonblocking: new NonblockingEngine({ lanes: () => lanes }) }
beforeAll(async () => {
  for (const engine of Object.values(engineOf)) await connects(engine)
})
afterAll(async () => {
  await engineOf.nonblocking.close()
  await lanes.close()
})
afterEach(() => binding.clearFaults())

describe.each(engines)('a call that fails, %s engine', (name) => {
  const engine = engineOf[name]

  it.each(faults[name])('%s with %s is told as %s of %s, and nothing is left', async (call, code, told, syscall) => {
    const before = held()
    binding.inject(call, 1, constants.errno[code], 0)
    const outcome = await attempt(engine).outcome
    expect(outcome).toMatchObject({ state: 'failed', errno: -constants.errno[told], call: syscall })
    expect(held()).toEqual(before)
    await connects(engine)
    expect(held()).toEqual(before)
  })

  // Old kernels and sandboxes lack it, or refuse it.
  it.each(['ENOPROTOOPT', 'EINVAL', 'EPERM', 'EACCES', 'ENOSYS', 'ENOMEM'] as const)(
    'setsockopt with %s, of an option that only makes more ports usable: it goes on without',
    async (code) => {
      const before = held()
      for (const localPort of [0, await freePort()]) {
        countCalls()
        binding.inject('setsockopt', 1, constants.errno[code], 0)
        const outcome = await attempt(engine, targets.accept, localPort).outcome
        expect(binding.callsSeen('bind')).toBe(1)
        expect(outcome).toMatchObject({ state: 'connected' })
        if (outcome.state === 'connected') outcome.claim!.close()
      }
      expect(held()).toEqual(before)
    },
  )

  it('close: the descriptor is gone all the same, and closed once', async () => {
    const before = held()
    countCalls()
    binding.inject('close', 1, constants.errno.EIO, 0)
    await connects(engine)
    expect(binding.callsSeen('close')).toBe(1)
    expect(held()).toEqual(before)
  })
})

describe('a call of the nonblocking engine that fails', () => {
  const engine = engineOf.nonblocking

  it('poll: what has connected is found writable a little later all the same', async () => {
    binding.inject('poll', 1, constants.errno.ENOMEM, 0)
    await connects(engine)
  })

  it('epoll_ctl: what cannot be watched fails with it, and nothing is left', async () => {
    const before = held()
    binding.inject('epoll_ctl', 1, constants.errno.ENOSPC, 0)
    const outcome = await attempt(engine, targets.hang).outcome
    expect(outcome).toMatchObject({ state: 'failed', errno: -constants.errno.ENOSPC, call: 'epoll_ctl' })
    expect(held()).toEqual(before)
  })

  it('epoll_wait: whoever is watched goes on being watched', async () => {
    const before = held()
    const watched = attempt(engine, targets.hang)
    countCalls()
    binding.inject('epoll_wait', 1, constants.errno.EINTR, 0)
    const other = attempt(engine, targets.hang)
    await callsMade('epoll_wait', 2)
    for (const each of [watched, other]) each.cancel()
    for (const each of [watched, other]) expect(await each.outcome).toMatchObject({ state: 'cancelled' })
    expect(held()).toEqual(before)
  })

  it.each(['epoll_create1', 'eventfd', 'pthread_create'])('%s: it starts for whoever asks next', async (call) => {
    await engine.close()
    // An idle lane would end when it pleases.
    await lanes.close()
    const before = { ...held(), threads: threads() }
    const fresh = new NonblockingEngine({ lanes: () => lanes })
    binding.inject(call, 1, constants.errno.EAGAIN, 0)
    expect(await attempt(fresh).outcome).toMatchObject({ state: 'failed', errno: -constants.errno.EAGAIN, call })
    expect({ ...held(), threads: threads() }).toEqual(before)
    await connects(fresh)
    await fresh.close()
    expect({ ...held(), threads: threads() }).toEqual(before)
  })
})

describe('a lane that cannot be had', () => {
  it('fails attempts, and later ones get one', async () => {
    await engineOf.nonblocking.close()
    await lanes.close()
    const fresh = new BlockingEngine({ lanes: 3 })
    binding.inject('pthread_create', 0, constants.errno.EAGAIN, 0)
    for (const { outcome } of [attempt(fresh), attempt(fresh), attempt(fresh)])
      expect(['failed', 'lost']).toContain((await outcome).state)
    binding.clearFaults()
    await connects(fresh)
    await fresh.close()
    expect(ledger()).toEqual(nothingLeft)
  })
})

it('a lane’s stack is as large as the system needs, whatever was asked for', async () => {
  const engine = new BlockingEngine({ lanes: 1, laneStackBytes: 1 })
  await connects(engine)
  const cancelled = attempt(engine, targets.hang)
  await expect.poll(() => engine.load().inFlight).toBe(1)
  cancelled.cancel()
  expect(await cancelled.outcome).toMatchObject({ state: 'cancelled' })
  await engine.close()
})
