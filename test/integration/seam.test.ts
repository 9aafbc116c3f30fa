import { constants } from 'node:os'
import { type ConnectionManager, type ErrnoClass, ledger } from 'cancelpoint'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/binding'
import { held, nothingLeft } from '../support/counts.js'
import { countCalls } from '../support/moments.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const targets = useStations()
let manager: ConnectionManager

beforeAll(async () => {
  manager = await warmManager(targets.accept)
})
afterAll(() => manager.close())
afterEach(() => binding.clearFaults())

type Code = keyof typeof constants.errno

/** The call that fails, with what, and what the caller hears: code, class, syscall. */
const faults: [string, Code, Code, ErrnoClass, string][] = [
  ['socket', 'EMFILE', 'EMFILE', 'local', 'socket'],
  ['socket', 'ENFILE', 'ENFILE', 'local', 'socket'],
  ['socket', 'EAFNOSUPPORT', 'EAFNOSUPPORT', 'misuse', 'socket'],
  ['setsockopt', 'ENOMEM', 'ENOMEM', 'local', 'setsockopt'],
  ['connect', 'ENOBUFS', 'ENOBUFS', 'local', 'connect'],
  ['connect', 'ENETDOWN', 'ENETDOWN', 'unreachable', 'connect'],
  ['connect', 'EADDRINUSE', 'EADDRINUSE', 'misuse', 'connect'],
  ['connect', 'EHOSTUNREACH', 'EHOSTUNREACH', 'unreachable', 'connect'],
  ['getsockopt', 'ENOBUFS', 'ENOBUFS', 'local', 'getsockopt'],
  // The peer reset between SO_ERROR and the question who it is.
  ['getpeername', 'ENOTCONN', 'ECONNRESET', 'refused', 'connect'],
  ['getpeername', 'ENOBUFS', 'ENOBUFS', 'local', 'getpeername'],
  ['getsockname', 'ENOBUFS', 'ENOBUFS', 'local', 'getsockname'],
  ['fcntl', 'EPERM', 'EPERM', 'denied', 'fcntl'],
  ['malloc', 'ENOMEM', 'ENOMEM', 'local', 'malloc'],
]

describe('a call that fails', () => {
  it.each(faults)(
    '%s with %s is told as %s (%s, %s), and nothing is left',
    async (call, code, told, errnoClass, syscall) => {
      const before = held()
      binding.inject(call, 1, constants.errno[code], 0)
      const failing = manager.connect(targets.accept)
      await expect(failing).rejects.toMatchObject({ code: told, errnoClass, syscall })
      expect(held()).toEqual(before)
      ;(await manager.open(targets.accept)).close()
      expect(held()).toEqual(before)
    },
  )

  it('close: the descriptor is gone all the same, and closed once', async () => {
    const before = held()
    const descriptor = await manager.open(targets.accept)
    countCalls()
    binding.inject('close', 1, constants.errno.EIO, 0)
    descriptor.close()
    expect(binding.callsSeen('close')).toBe(1)
    expect(held()).toEqual(before)
  })

  it('pthread_create: what no lane can be had for is told, and a later call gets one', async () => {
    const fresh = await warmManager(targets.accept, { lanes: 3 })
    const before = held()
    const controller = new AbortController()
    const blocked = fresh.connect(targets.hang, { signal: controller.signal }).catch((error) => error)
    binding.inject('pthread_create', 0, constants.errno.EAGAIN, 0)
    const calls = Array.from({ length: 3 }, () => fresh.open(targets.accept).then((descriptor) => descriptor.close()))
    controller.abort()
    expect(await blocked).toMatchObject({ code: 'ABORT_ERR' })
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'EAGAIN', errnoClass: 'local', syscall: 'pthread_create' })
    }
    binding.clearFaults()
    ;(await fresh.open(targets.accept)).close()
    expect(held()).toEqual(before)
    await fresh.close()
  })

  it('afterwards nothing is left', async () => {
    await manager.close()
    expect(ledger()).toEqual(nothingLeft)
  })
})
