import { constants } from 'node:os'
import { ledger } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Outcome } from '#internal/attempts'
import { binding } from '#internal/binding'
import { encodeEndpoint } from '#internal/core/address'
import { BlockingEngine } from '#internal/engines/blocking'
import { held, nothingLeft } from '../support/counts.js'
import { countCalls } from '../support/moments.js'
import { portOf, useStations } from '../support/stations.js'

const targets = useStations()
/** Beneath the supervisor, which would try again. */
const engine = new BlockingEngine({ lanes: 4 })

beforeAll(connected)
afterAll(() => engine.close())
afterEach(() => binding.clearFaults())

function attempt(target = targets.accept): Promise<Outcome> {
  const remote = encodeEndpoint({ family: 'inet', address: '127.0.0.1', port: portOf(target) })
  return new Promise((resolve) => engine.submit({ remote, timeoutMs: 5_000 }, resolve))
}

/** An attempt that nothing disturbs. */
async function connected(): Promise<void> {
  const outcome = await attempt()
  if (outcome.state !== 'connected') throw new Error(`expected a connection, not ${JSON.stringify(outcome)}`)
  outcome.claim!.close()
}

type Code = keyof typeof constants.errno

/** The call that fails, with what, and what the outcome says. */
const faults: [call: string, code: Code, told: Code, syscall: string][] = [
  ['socket', 'EMFILE', 'EMFILE', 'socket'],
  ['socket', 'EAFNOSUPPORT', 'EAFNOSUPPORT', 'socket'],
  ['setsockopt', 'ENOMEM', 'ENOMEM', 'setsockopt'],
  ['connect', 'ENOBUFS', 'ENOBUFS', 'connect'],
  ['connect', 'ENETDOWN', 'ENETDOWN', 'connect'],
  ['connect', 'EADDRINUSE', 'EADDRINUSE', 'connect'],
  ['getsockopt', 'ENOBUFS', 'ENOBUFS', 'getsockopt'],
  // The peer reset between SO_ERROR and the question who it is.
  ['getpeername', 'ENOTCONN', 'ECONNRESET', 'connect'],
  ['getpeername', 'ENOBUFS', 'ENOBUFS', 'getpeername'],
  ['getsockname', 'ENOBUFS', 'ENOBUFS', 'getsockname'],
  ['fcntl', 'EPERM', 'EPERM', 'fcntl'],
  ['malloc', 'ENOMEM', 'ENOMEM', 'malloc'],
]

describe('a call that fails', () => {
  it.each(faults)('%s with %s is told as %s of %s, and nothing is left', async (call, code, told, syscall) => {
    const before = held()
    binding.inject(call, 1, constants.errno[code], 0)
    expect(await attempt()).toMatchObject({ state: 'failed', errno: -constants.errno[told], call: syscall })
    expect(held()).toEqual(before)
    await connected()
    expect(held()).toEqual(before)
  })

  it('close: the descriptor is gone all the same, and closed once', async () => {
    const before = held()
    countCalls()
    binding.inject('close', 1, constants.errno.EIO, 0)
    await connected()
    expect(binding.callsSeen('close')).toBe(1)
    expect(held()).toEqual(before)
  })

  it('pthread_create: attempts for which no lane can be had fail, and later ones get one', async () => {
    await engine.close()
    const fresh = new BlockingEngine({ lanes: 3 })
    binding.inject('pthread_create', 0, constants.errno.EAGAIN, 0)
    const remote = encodeEndpoint({ family: 'inet', address: '127.0.0.1', port: portOf(targets.accept) })
    const submit = () => new Promise<Outcome>((resolve) => fresh.submit({ remote, timeoutMs: 5_000 }, resolve))
    for (const { state } of await Promise.all([submit(), submit(), submit()]))
      expect(['failed', 'lost']).toContain(state)
    binding.clearFaults()
    const outcome = await submit()
    expect(outcome.state).toBe('connected')
    if (outcome.state === 'connected') outcome.claim!.close()
    await fresh.close()
    expect(ledger()).toEqual(nothingLeft)
  })
})
