/** cancelpoint/posix but for connect and poll: descriptors, names, options, and what is no descriptor at all. */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ConnectError } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { freshName, inet, inet6, lackingIpv6, Sockets, unix } from '../support/sockets.mjs'

const sockets = new Sockets()
afterEach(() => sockets.close())

/** A test that needs IPv6, and says so where there is none. */
const itByIpv6 = (name: string, test: () => unknown) =>
  it.skipIf(lackingIpv6 !== undefined)(lackingIpv6 ? `${name} [skipped: ${lackingIpv6}]` : name, test as () => void)

/** The open flags of a descriptor, as fcntl and close-on-exec have them. */
function flagsOf(fd: number): number {
  const [, octal] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))!
  return Number.parseInt(octal!, 8)
}
const closeOnExec = 0o2000000
const nonblocking = 0o4000

/** What a call throws or rejects with. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

function closed(): number {
  const fd = posix.socket('inet')
  posix.close(fd)
  return fd
}

// Workers and lanes open descriptors of their own, which would take a number just closed.
beforeAll(() => posix.poll(sockets.open('inet'), 'writable'))

describe('what is not an open descriptor', () => {
  const numbers: [string, number | 'closed'][] = [
    ['one just closed', 'closed'],
    ['-1', -1],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['1e12', 1e12],
    // Rounded down, 2^32 + 1 and 1.5 would be standard output.
    ['2^32 + 1', 2 ** 32 + 1],
    ['1.5', 1.5],
    ['a string', '1' as never],
    ['nothing', undefined as never],
  ]
  const calls: [string, (fd: number) => unknown][] = [
    ['connect', (fd) => posix.connect(fd, inet(80))],
    ['poll', (fd) => posix.poll(fd, 'writable')],
    ['bind', (fd) => posix.bind(fd, inet(0))],
    ['fcntl', (fd) => posix.setNonblocking(fd, true)],
    ['setsockopt', (fd) => posix.setOption(fd, 'reuseAddr', 1)],
    ['getsockopt', (fd) => posix.socketError(fd)],
    ['getpeername', (fd) => posix.getpeername(fd)],
    ['getsockname', (fd) => posix.getsockname(fd)],
    ['close', (fd) => posix.close(fd)],
  ]
  it.each(numbers)('%s is EBADF to every call', async (_, fd) => {
    for (const [syscall, call] of calls) {
      const error = await errorOf(() => call(fd === 'closed' ? closed() : fd))
      expect([syscall, error]).toEqual([syscall, expect.any(ConnectError)])
      const errno = -constants.errno.EBADF
      expect(error).toMatchObject({ code: 'EBADF', errno, errnoClass: 'misuse', syscall })
    }
  })

  it('a file is ENOTSOCK', () => {
    const fd = openSync('/dev/null', 'r')
    sockets.defer(() => closeSync(fd))
    expect(() => posix.socketError(fd)).toThrow(expect.objectContaining({ code: 'ENOTSOCK', syscall: 'getsockopt' }))
  })
})

describe('arguments that are mistakes', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['a domain', () => posix.socket('ipx' as never), /TypeError.*'inet', 'inet6' or 'unix'/],
    ['an inherited name as domain', () => posix.socket('toString' as never), /TypeError.*domain/],
    ['a type', () => posix.socket('inet', 'raw' as never), /TypeError.*'stream' or 'dgram'/],
    ['an option', () => posix.setOption(0, 'mark' as never, 1), /TypeError.*mark.*reuseAddr/],
    ['an option’s value', () => posix.setOption(0, 'linger', 0.5), /RangeError.*linger/],
    ['an option’s value of 33 bits', () => posix.setOption(0, 'sendBuffer', 2 ** 32 + 1), /RangeError.*sendBuffer.*32/],
    ['an option’s value that is none', () => posix.setOption(0, 'linger', '1' as never), /RangeError.*linger is '1'/],
    ['no value', () => posix.setOption(0, 'linger', undefined as never), /RangeError.*linger is undefined/],
    ['a time below 0', () => posix.setOption(0, 'sendTimeoutMs', -5), /RangeError.*sendTimeoutMs is -5: .* from 0 up/],
    ['blocking or not', () => posix.setNonblocking(0, 'yes' as never), /TypeError.*on is 'yes'/],
    ['an address', () => posix.bind(0, inet(80, 'localhost')), /InvalidTargetError.*localhost/],
    ['a port', () => posix.connect(0, inet(65_536)), /InvalidTargetError.*65536/],
    ['a zone’s name', () => posix.connect(0, inet6(80, 'fe80::1%lo')), /InvalidTargetError.*zone as a number/],
    ['a path', () => posix.connect(0, unix(`/${'x'.repeat(107)}`)), /InvalidTargetError.*107 bytes/],
    ['a path that is none', () => posix.connect(0, unix(5 as never)), /InvalidTargetError.*5.*its path as a string/],
    ['no path', () => posix.connect(0, { family: 'unix' } as never), /InvalidTargetError.*its path/],
    ['an address that is none', () => posix.connect(0, inet(80, 5 as never)), /InvalidTargetError.*its address/],
    ['no address', () => posix.connect(0, { family: 'inet6', port: 80 } as never), /InvalidTargetError.*its address/],
    ['bytes', () => posix.connect(0, { family: 2, bytes: 'abc' as never }), /InvalidTargetError.*its bytes as/],
    ['options', () => posix.connect(0, inet(80), null as never), /TypeError.*options is null/],
    ['options of poll', () => posix.poll(0, 'readable', 5 as never), /TypeError.*options is 5/],
    ['a slip', () => posix.connect(0, inet(80), { abortSignal: 5 } as never), /TypeError.*here it is signal/],
    ['a slip of poll', () => posix.poll(0, 'readable', { timeout: 5 } as never), /TypeError.*here it is timeoutMs/],
    ['a signal', () => posix.connect(0, inet(80), { signal: 5 as never }), /TypeError.*signal is 5: .*AbortSignal/],
    ['a signal of poll', () => posix.poll(0, 'readable', { signal: {} as never }), /TypeError.*signal is {}/],
    ['an event', () => posix.poll(0, 'closable' as never), /TypeError.*'readable' or 'writable'/],
    ['an inherited name as event', () => posix.poll(0, 'toString' as never), /TypeError.*events/],
    ['a timeout', () => posix.poll(0, 'readable', { timeoutMs: Number.NaN }), /RangeError.*timeoutMs/],
    ['a timeout in letters', () => posix.poll(0, 'readable', { timeoutMs: '5' as never }), /RangeError.*is '5'/],
    ['no timeout', () => posix.poll(0, 'readable', { timeoutMs: null as never }), /RangeError.*timeoutMs is null/],
    ['a negative timeout', () => posix.poll(0, 'readable', { timeoutMs: -1 }), /RangeError.*timeoutMs/],
  ])('%s is named', async (_, call, message) => {
    expect(String(await errorOf(call))).toMatch(message)
  })
})

describe('a new descriptor', () => {
  it.each([
    ['inet', 'stream'],
    ['inet', 'dgram'],
    ['unix', 'stream'],
    ['unix', 'dgram'],
  ] as const)('of %s, %s is close-on-exec and blocking until it is told otherwise', (domain, type) => {
    const fd = sockets.open(domain, { type })
    expect(flagsOf(fd) & (closeOnExec | nonblocking)).toBe(closeOnExec)
    posix.setNonblocking(fd, true)
    expect(flagsOf(fd) & nonblocking).toBe(nonblocking)
    posix.setNonblocking(fd, false)
    expect(flagsOf(fd) & (closeOnExec | nonblocking)).toBe(closeOnExec)
  })
})

describe('names', () => {
  const connectedTo = async (listener: number, domain: 'inet' | 'inet6' | 'unix') => {
    const fd = sockets.open(domain)
    await posix.connect(fd, posix.getsockname(listener))
    return fd
  }

  async function comeBack(domain: 'inet' | 'inet6', address: string): Promise<void> {
    const listener = sockets.listener(domain)
    const bound = posix.getsockname(listener)
    expect(bound).toEqual({ family: domain, address, port: expect.any(Number) })
    const fd = await connectedTo(listener, domain)
    expect(posix.getpeername(fd)).toEqual(bound)
    expect(posix.getsockname(fd)).toMatchObject({ family: domain, address, port: expect.any(Number) })
  }
  it('of IPv4 come back as they went', () => comeBack('inet', '127.0.0.1'))
  itByIpv6('of IPv6 come back as they went', () => comeBack('inet6', '::1'))

  it.each([
    ['a path', () => unix(join(sockets.directory(), 'sockét'))],
    ['an abstract name', freshName],
    ['an abstract name with a NUL in it', () => unix(`\0cancelpoint-test-${process.pid}\0\0`)],
  ])('of AF_UNIX, %s, come back as they went', async (_, name) => {
    const address = name()
    const listener = sockets.listener('unix', { address })
    expect(posix.getsockname(listener)).toEqual(address)
    const fd = await connectedTo(listener, 'unix')
    expect(posix.getpeername(fd)).toEqual(address)
    expect(posix.getsockname(fd)).toEqual(unix(''))
  })

  itByIpv6('of IPv6 keep their scope', () => {
    // Bound to, so nothing is sent: this group is the loopback's own.
    const fd = sockets.bound('inet6', { type: 'dgram', address: inet6(0, 'ff01::1%1') })
    expect(posix.getsockname(fd)).toMatchObject({ address: 'ff01::1%1' })
  })

  it('of no peer are ENOTCONN', () => {
    const fd = sockets.open('inet')
    expect(() => posix.getpeername(fd)).toThrow(expect.objectContaining({ code: 'ENOTCONN', syscall: 'getpeername' }))
    expect(posix.getsockname(fd)).toEqual(inet(0, '0.0.0.0'))
  })
})

describe('options', () => {
  /** Each with a value to set. localPortRange needs Linux 6.3; test/errno sets it where there is one. */
  const values: Record<posix.SocketOption, number> = {
    reuseAddr: 1,
    reusePort: 1,
    broadcast: 1,
    keepAlive: 1,
    sendBuffer: 8192,
    receiveBuffer: 8192,
    linger: -1,
    sendTimeoutMs: 1500,
    receiveTimeoutMs: 1500,
    noDelay: 1,
    synCount: 2,
    userTimeoutMs: 1000,
    quickAck: 0,
    ipv6Only: 1,
    bindAddressNoPort: 1,
    localPortRange: 0,
  }

  it('are those that the addon has', () => {
    expect(Object.keys(values)).toEqual([...binding.optionNames])
  })

  for (const [name, value] of Object.entries(values)) {
    const set = (domain: 'inet' | 'inet6') => posix.setOption(sockets.open(domain), name as posix.SocketOption, value)
    if (name === 'ipv6Only') itByIpv6(`${name} is set`, () => set('inet6'))
    else if (name !== 'localPortRange') it(`${name} is set`, () => set('inet'))
  }

  it('say what the kernel says of them', () => {
    const fd = sockets.open('inet')
    const error = expect.objectContaining({ code: 'EINVAL', syscall: 'setsockopt', errnoClass: 'misuse' })
    expect(() => posix.setOption(fd, 'synCount', 1000)).toThrow(error)
    expect(() => posix.setOption(sockets.open('unix'), 'noDelay', 1)).toThrow(
      expect.objectContaining({ syscall: 'setsockopt', errnoClass: 'misuse' }),
    )
  })
})
