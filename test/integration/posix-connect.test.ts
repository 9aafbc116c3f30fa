/** posix.connect and posix.poll beyond single errnos (test/errno has those): outcomes, cancellation, what is left alone. */
import { readFileSync } from 'node:fs'
import { ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { held, listenersOn, nothingLeft } from '../support/counts.js'
import { callsMade, countCalls } from '../support/moments.js'
import { type Domain, inet, inetName, Sockets } from '../support/sockets.mjs'

const sockets = new Sockets()

beforeAll(async () => {
  await posix.poll(sockets.open('inet'), 'writable')
  sockets.close()
})
beforeEach(countCalls)
afterEach(() => {
  binding.clearFaults()
  sockets.close()
})
afterAll(async () => {
  await vi.waitFor(() => expect(ledger()).toEqual(nothingLeft), { timeout: 20_000 })
})

const domains = ['inet', 'unix'] as const satisfies Domain[]

/** Resolves when the next call of that kind is being made. */
const nextCall = (name: 'connect' | 'poll') => callsMade(name, binding.callsSeen(name) + 1)

const aborted = (reason: unknown) => expect.objectContaining({ name: 'AbortError', code: 'ABORT_ERR', cause: reason })

/** Takes the room of a listener, so that the next connect waits; the listener and its name. */
async function fullListener(domain: Domain) {
  const listener = sockets.listener(domain, { backlog: 0 })
  const address = posix.getsockname(listener)
  await posix.connect(sockets.open(domain), address)
  return { listener, address }
}

describe('a nonblocking connect', () => {
  it('is found complete by poll, SO_ERROR and getpeername', async () => {
    const address = posix.getsockname(sockets.listener('inet'))
    const fd = sockets.open('inet', { nonblocking: true })
    await expect(posix.connect(fd, address)).rejects.toMatchObject({ code: 'EINPROGRESS', errnoClass: 'pending' })
    expect(await posix.poll(fd, 'writable')).toBe(true)
    expect(posix.socketError(fd)).toBe(0)
    expect(posix.getpeername(fd)).toEqual(address)
  })

  it('is found failed by poll and SO_ERROR, which reading clears', async () => {
    const fd = sockets.open('inet', { nonblocking: true })
    await expect(posix.connect(fd, sockets.refusing('inet'))).rejects.toMatchObject({ code: 'EINPROGRESS' })
    expect(await posix.poll(fd, 'writable')).toBe(true)
    expect(posix.socketError(fd)).toBe(-111)
    expect(posix.socketError(fd)).toBe(0)
    expect(() => posix.getpeername(fd)).toThrow(expect.objectContaining({ code: 'ENOTCONN' }))
  })

  it('resolves 0 where AF_UNIX has room', async () => {
    const address = posix.getsockname(sockets.listener('unix'))
    expect(await posix.connect(sockets.open('unix', { nonblocking: true }), address)).toBe(0)
  })

  it('under way may be waited for by a blocking call, which shares its outcome', async () => {
    const { listener, address } = await fullListener('inet')
    const fd = sockets.open('inet', { nonblocking: true })
    await posix.connect(fd, address).catch(() => {})
    posix.setNonblocking(fd, false)
    const inside = nextCall('connect')
    const second = posix.connect(fd, address)
    await inside
    // Room: the next SYN, a second after the first, is answered.
    binding.listen(listener, 16)
    expect(await second).toBe(0)
  })
})

describe('a signal that is aborted already', () => {
  it.each([false, true])('makes no call (nonblocking: %s)', async (nonblocking) => {
    const fd = sockets.open('inet', { nonblocking })
    const address = posix.getsockname(sockets.listener('inet'))
    const signal = AbortSignal.abort('too late')
    await expect(posix.connect(fd, address, { signal })).rejects.toEqual(aborted('too late'))
    await expect(posix.poll(fd, 'writable', { signal })).rejects.toEqual(aborted('too late'))
    expect([binding.callsSeen('connect'), binding.callsSeen('poll')]).toEqual([0, 0])
    expect(listenersOn(signal)).toBe(0)
  })
})

describe.each(domains)('a blocking %s connect that is aborted', (domain) => {
  it('rejects once the lane has let go of the descriptor, which stays the caller’s', async () => {
    const { address } = await fullListener(domain)
    const fd = sockets.open(domain)
    const before = held()
    const controller = new AbortController()
    const inside = nextCall('connect')
    const connecting = posix.connect(fd, address, { signal: controller.signal })
    await inside
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(connecting).rejects.toEqual(aborted(reason))
    expect(held()).toEqual(before)
    expect(listenersOn(controller.signal)).toBe(0)

    // Open and usable: what goes on in it is dissolved, and it connects elsewhere.
    if (domain === 'inet') await posix.connect(fd, { family: 'unspec' })
    const other = posix.getsockname(sockets.listener(domain))
    expect(await posix.connect(fd, other)).toBe(0)
    expect(posix.getpeername(fd)).toEqual(other)
    posix.close(fd)
    expect(() => posix.getsockname(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it('rejects before the call was made', async () => {
    const listener = sockets.listener(domain)
    binding.inject('connect', 1, 0, 100_000)
    const controller = new AbortController()
    const inside = nextCall('connect')
    const connecting = posix.connect(sockets.open(domain), posix.getsockname(listener), { signal: controller.signal })
    await inside
    controller.abort('early')
    await expect(connecting).rejects.toEqual(aborted('early'))
    expect(await posix.poll(listener, 'readable', { timeoutMs: 1 })).toBe(false)
  })

  it('resolves 0 where success came first', async () => {
    const listener = sockets.listener(domain)
    const fd = sockets.open(domain)
    // Waits on after the call has succeeded: there the abort finds it.
    binding.inject('connect', 1, 0, 200_000)
    const controller = new AbortController()
    const connecting = posix.connect(fd, posix.getsockname(listener), { signal: controller.signal })
    expect(await posix.poll(listener, 'readable')).toBe(true)
    controller.abort('late')
    expect(await connecting).toBe(0)
    expect(posix.getpeername(fd)).toEqual(posix.getsockname(listener))
  })
})

describe('a signal', () => {
  it('has one listener, however many calls share it, and none after', async () => {
    const { address } = await fullListener('unix')
    const controller = new AbortController()
    const { signal } = controller
    const calls = [1, 2, 3].map(() => posix.connect(sockets.open('unix'), address, { signal }))
    calls.push(posix.poll(sockets.open('inet'), 'readable', { signal }).then(() => 0))
    expect(listenersOn(signal)).toBe(1)
    controller.abort('all')
    for (const call of calls) await call.catch((error) => expect(error).toEqual(aborted('all')))
    expect(listenersOn(signal)).toBe(0)
  })

  it.each([
    ['success', (address: posix.SocketAddress) => address, 'connected'],
    ['failure', () => sockets.refusing('inet'), 'ECONNREFUSED'],
  ])('has none after %s', async (_, to, outcome) => {
    const { signal } = new AbortController()
    const address = to(posix.getsockname(sockets.listener('inet')))
    const connecting = posix.connect(sockets.open('inet'), address, { signal })
    expect(listenersOn(signal)).toBe(1)
    expect(
      await connecting.then(
        () => 'connected',
        ({ code }) => code,
      ),
    ).toBe(outcome)
    expect(listenersOn(signal)).toBe(0)
  })
})

describe('the descriptor’s options', () => {
  it.each(['success', 'failure', 'abort'])('are left as they were by %s', async (way) => {
    const { address: full } = await fullListener('inet')
    const address = {
      success: posix.getsockname(sockets.listener('inet')),
      failure: sockets.refusing('inet'),
      abort: full,
    }[way]!
    const fd = sockets.open('inet')
    const flags = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
    const controller = new AbortController()
    const inside = nextCall('connect')
    const settled = posix.connect(fd, address, { signal: controller.signal }).catch(() => {})
    await inside
    if (way === 'abort') controller.abort()
    await settled
    expect(binding.callsSeen('setsockopt')).toBe(0)
    expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toBe(flags)
  })
})

describe('poll', () => {
  it('tells what is ready, and what is not in time', async () => {
    const listener = sockets.listener('inet')
    expect(await posix.poll(listener, 'readable', { timeoutMs: 0 })).toBe(false)
    expect(await posix.poll(listener, 'readable', { timeoutMs: 20 })).toBe(false)
    const waiting = posix.poll(listener, 'readable')
    await posix.connect(sockets.open('inet'), posix.getsockname(listener))
    expect(await waiting).toBe(true)
  })

  it('counts an error or hang-up as ready', async () => {
    // An unconnected TCP socket hangs.
    expect(await posix.poll(sockets.open('inet'), 'readable', { timeoutMs: 60_000 })).toBe(true)
  })

  it('rejects when it is aborted, and lets go of the descriptor', async () => {
    const listener = sockets.listener('inet')
    const before = held()
    const controller = new AbortController()
    const inside = nextCall('poll')
    const polling = posix.poll(listener, 'readable', { signal: controller.signal, timeoutMs: 60_000 })
    await inside
    controller.abort('enough')
    await expect(polling).rejects.toEqual(aborted('enough'))
    expect(held()).toEqual(before)
    expect(posix.getsockname(listener)).toMatchObject({ family: 'inet' })
  })
})

describe('an unspecified address', () => {
  it('dissolves a connection, and the socket connects again', async () => {
    const fd = sockets.open('inet')
    await posix.connect(fd, posix.getsockname(sockets.listener('inet')))
    expect(await posix.connect(fd, { family: 'unspec' })).toBe(0)
    expect(() => posix.getpeername(fd)).toThrow(expect.objectContaining({ code: 'ENOTCONN' }))
    const other = posix.getsockname(sockets.listener('inet'))
    expect(await posix.connect(fd, other)).toBe(0)
    expect(posix.getpeername(fd)).toEqual(other)
  })
})

describe('a datagram socket', () => {
  it.each(domains)('of %s connects, at once and as often as it is asked', async (domain) => {
    for (const nonblocking of [false, true]) {
      const fd = sockets.open(domain, { type: 'dgram', nonblocking })
      for (let turn = 0; turn < 2; turn++) {
        const peer = posix.getsockname(sockets.bound(domain, { type: 'dgram' }))
        expect(await posix.connect(fd, peer)).toBe(0)
        expect(posix.getpeername(fd)).toEqual(peer)
      }
    }
  })
})

describe('an address as bytes', () => {
  /** 127.0.0.1 and a port, and as many more zeros as it takes. */
  function sockaddr(port: number, length: number, family = 2): { family: number; bytes: Uint8Array } {
    const bytes = new Uint8Array(length)
    bytes.set([family, 0, port >> 8, port & 255, 127, 0, 0, 1].slice(0, length))
    return { family, bytes }
  }

  it.each([
    [0, 'EINVAL'],
    [1, 'EINVAL'],
    [15, 'EINVAL'],
    [16, 'connected'],
    [128, 'connected'],
    [129, 'EINVAL'],
    [200, 'EINVAL'],
    // In 16 bits this would be 16 again.
    [65_536 + 16, 'EINVAL'],
  ])('of %i bytes is what the kernel makes of it: %s', async (length, expected) => {
    const { port } = inetName(sockets.listener('inet'))
    for (const nonblocking of [false, true]) {
      const connecting = posix.connect(sockets.open('inet', { nonblocking }), sockaddr(port, length))
      const code = await connecting.then(
        () => 'connected',
        (error) => error.code,
      )
      expect(code).toBe(nonblocking && expected === 'connected' ? 'EINPROGRESS' : expected)
    }
  })

  it('of a family the socket does not take is EAFNOSUPPORT', async () => {
    const connecting = posix.connect(sockets.open('inet'), sockaddr(80, 16, 99))
    await expect(connecting).rejects.toMatchObject({ code: 'EAFNOSUPPORT', errnoClass: 'misuse' })
  })

  it('tells where it failed, as one in words does', async () => {
    const { port } = inetName(sockets.bound('inet'))
    const connecting = posix.connect(sockets.open('inet'), sockaddr(port, 16))
    await expect(connecting).rejects.toMatchObject({ code: 'ECONNREFUSED', address: inet(port).address, port })
  })

  it('is copied before the call returns', async () => {
    const { port } = inetName(sockets.listener('inet'))
    const bytes = Buffer.from(sockaddr(port, 16).bytes)
    const connecting = posix.connect(sockets.open('inet'), { family: 2, bytes })
    bytes.fill(0)
    expect(await connecting).toBe(0)
  })
})
