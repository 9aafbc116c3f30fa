/**
 * The documented function itself: connect(2) and its kin on descriptors that are the caller's own. Nothing is opened, closed
 * or set here but what the caller asks for; a blocking connect waits on a lane, where it can be cancelled.
 */

import { binding } from './bridge/binding.js'
import type { NativeRequest, Outcome } from './bridge/registry.js'
import { Cancellation } from './call/cancellation.js'
import { type Endpoint, endpointOf } from './core/endpoint.js'
import { kind, numberKind, requireKind, settled } from './core/kinds.js'
import * as limits from './core/limits.js'
import { decodeSocketAddress, domains, encodeSocketAddress, type SocketAddress } from './core/sockaddr.js'
import { BlockingEngine } from './engines/blocking.js'
import { abortError, lateAbortError } from './errors/abort-error.js'
import { ConnectError } from './errors/connect-error.js'
import { classify, codeOf, errnoOf, isFamilyDisabled } from './errors/errnos.js'
import { hintFor, signalKind } from './options.js'

export type { SocketAddress } from './core/sockaddr.js'

const types = { stream: 1, dgram: 2 } as const
/** An attempt holds its address's length in 16 bits. The kernel takes 128 bytes, and refuses more by the length alone. */
const addressBytesAtMost = 0xffff
/** poll(2)'s bits. */
const events = { readable: 0x001, writable: 0x004 } as const
const pollNval = 0x020

/** What `setOption` sets. Numbers as setsockopt(2) takes them; `linger` in seconds, negative for off; `...Ms` in milliseconds. */
export type SocketOption =
  | 'reuseAddr'
  | 'reusePort'
  | 'broadcast'
  | 'keepAlive'
  | 'sendBuffer'
  | 'receiveBuffer'
  | 'linger'
  | 'sendTimeoutMs'
  | 'receiveTimeoutMs'
  | 'noDelay'
  | 'synCount'
  | 'userTimeoutMs'
  | 'quickAck'
  | 'ipv6Only'
  | 'bindAddressNoPort'
  /** lowest | highest << 16 (Linux 6.3). */
  | 'localPortRange'

/** A new descriptor, close-on-exec and blocking; the caller closes it. socket(2). */
export function socket(domain: keyof typeof domains, type: keyof typeof types = 'stream'): number {
  if (!Object.hasOwn(domains, domain))
    throw new TypeError(`domain is ${String(domain)}: expected 'inet', 'inet6' or 'unix'`)
  if (!Object.hasOwn(types, type)) throw new TypeError(`type is ${String(type)}: expected 'stream' or 'dgram'`)
  return must(binding.socket(domains[domain], types[type]), 'socket')
}

/** O_NONBLOCK on or off. fcntl(2). */
export function setNonblocking(fd: number, on: boolean): void {
  requireKind('on', on, boolean)
  must(binding.setNonblocking(number(fd), on), 'fcntl')
}

/** Gives the socket its own address. bind(2). */
export function bind(fd: number, address: SocketAddress): void {
  const result = binding.bind(number(fd), encodeSocketAddress(address))
  if (result < 0) throw errorOf(result, 'bind', { address, localFixed: true })
}

/** setsockopt(2), by the option's name. */
export function setOption(fd: number, name: SocketOption, value: number): void {
  if (!binding.optionNames.includes(name)) {
    throw new TypeError(
      `no socket option is called '${String(name)}': expected one of ${binding.optionNames.join(', ')}`,
    )
  }
  requireKind(name, value, name.endsWith('Ms') ? time : int)
  must(binding.setOption(number(fd), name, value), 'setsockopt')
}

/**
 * connect(2). A nonblocking descriptor makes one call on this thread, and EINPROGRESS, EALREADY and EISCONN come as the
 * kernel says them. A blocking one waits on a lane until connect(2) returns. Aborted, it rejects with AbortError once the
 * lane has let go of the descriptor, which stays the caller's to close (a TCP handshake may go on in it); an
 * abort that comes after success resolves 0.
 * @throws ConnectError for any errno, EBADF included.
 */
export async function connect(
  fd: number,
  address: SocketAddress,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<0> {
  const { signal } = settled('options', options, connectKinds, optionsLike)
  if (signal?.aborted) throw abortError(signal.reason)
  const remote = encodeSocketAddress(address).subarray(0, addressBytesAtMost)
  const nonblocking = binding.isNonblocking(number(fd))
  if (nonblocking < 0) throw errorOf(nonblocking, nonblocking === errnoOf('EBADF') ? 'connect' : 'fcntl', { address })
  if (nonblocking) {
    const result = binding.connectNow(fd, remote)
    if (result < 0) throw errorOf(result, 'connect', { address, fd })
    return 0
  }
  const outcome = await onLane({ remote, timeoutMs: 0, fd, flags: binding.attemptFlags.borrowed }, signal)
  if (outcome.state === 'connected') return 0
  throw failure(outcome, signal, { address, fd })
}

/**
 * Waits on a lane until the descriptor is readable or writable, an error or hang-up included: true; false when
 * `timeoutMs` (milliseconds, at least 1; default none) ran out. The role of select in connect's documentation. poll(2).
 */
export async function poll(
  fd: number,
  event: keyof typeof events,
  options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
): Promise<boolean> {
  if (!Object.hasOwn(events, event))
    throw new TypeError(`events is ${String(event)}: expected 'readable' or 'writable'`)
  const { signal, timeoutMs = Number.POSITIVE_INFINITY } = settled('options', options, pollKinds, optionsLike)
  if (signal?.aborted) throw abortError(signal.reason)
  // Of a negative number poll(2) says nothing at all, for ever.
  if (number(fd) < 0) throw errorOf(errnoOf('EBADF'), 'poll', {})
  const outcome = await onLane(
    {
      remote: new Uint8Array(0),
      timeoutMs: timeoutMs === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(timeoutMs)),
      fd,
      pollEvents: events[event],
      flags: binding.attemptFlags.borrowed | binding.attemptFlags.poll,
    },
    signal,
  )
  if (outcome.state !== 'connected') throw failure(outcome, signal, {})
  if (outcome.polled & pollNval) throw errorOf(errnoOf('EBADF'), 'poll', {})
  return outcome.polled !== 0
}

/** SO_ERROR, which reading clears: a negative errno, or 0. */
export function socketError(fd: number): number {
  const error = binding.socketError(number(fd))
  // No socket ever has these pending: they are this call's own.
  if (error === errnoOf('EBADF') || error === errnoOf('ENOTSOCK')) throw errorOf(error, 'getsockopt', {})
  return error
}

export function getpeername(fd: number): SocketAddress {
  return named(binding.getpeername(number(fd)), 'getpeername')
}

export function getsockname(fd: number): SocketAddress {
  return named(binding.getsockname(number(fd)), 'getsockname')
}

/** close(2). The descriptor is gone whatever it says. */
export function close(fd: number): void {
  must(binding.close(number(fd)), 'close')
}

/** setsockopt(2) takes an int, and the high bits must not be lost silently. Of a time below 0 it makes EDOM, EINVAL or none. */
const int = numberKind('a whole number of 32 bits', (value) => value === (value | 0))
const time = numberKind('whole milliseconds of 32 bits, from 0 up', (value) => value === (value | 0) && value >= 0)
const boolean = kind('true or false', (value) => typeof value === 'boolean')
const connectKinds = { signal: signalKind }
const pollKinds = { ...connectKinds, timeoutMs: numberKind('milliseconds from 0 up, or Infinity', (ms) => ms >= 0) }
const optionsLike = { example: '{ signal }', hint: hintFor }

/** Lanes of its own, idle ones retire: descriptors of callers have no manager. */
let engine: BlockingEngine | undefined

async function onLane(request: NativeRequest, signal: AbortSignal | undefined): Promise<Outcome> {
  engine ??= new BlockingEngine({ lanes: limits.posixLanes })
  const cancellation = new Cancellation(signal)
  try {
    return await new Promise<Outcome>((resolve) => {
      const running = engine!.submit(request, { settle: resolve })
      cancellation.onRequest(() => running.cancel())
    })
  } finally {
    cancellation.end()
  }
}

interface Context {
  address?: SocketAddress
  /** Asked for its source, where that makes a difference. */
  fd?: number
  localFixed?: boolean
}

function failure(outcome: Outcome, signal: AbortSignal | undefined, context: Context): Error {
  if (outcome.state === 'cancelled') return lateAbortError(signal?.reason)
  if (outcome.state === 'failed') return errorOf(outcome.errno, outcome.call, context)
  return new ConnectError({ code: 'ERR_WORKER_ENDED', syscall: 'connect', errnoClass: 'local' })
}

function must(result: number, syscall: string, context: Context = {}): number {
  if (result < 0) throw errorOf(result, syscall, context)
  return result
}

function errorOf(errno: number, syscall: string, { address, fd, localFixed }: Context): ConnectError {
  const code = codeOf(errno)
  const family = address && familyOf(address)
  const errnoClass = classify(code, {
    family,
    localFixed: localFixed ?? (code === 'EADDRNOTAVAIL' && fd !== undefined && isBound(fd)),
    familyDisabled: isFamilyDisabled(code, family),
  })
  return new ConnectError({ code, errno, syscall, endpoint: address && asEndpoint(address), errnoClass })
}

/** Whether the caller has fixed a source port, or only an address (IP_BIND_ADDRESS_NO_PORT). A failed connect leaves neither. */
function isBound(fd: number): boolean {
  const name = binding.getsockname(fd)
  const own = typeof name === 'number' ? undefined : decodeSocketAddress(name)
  return own !== undefined && 'port' in own && (own.port !== 0 || !anyAddress.has(own.address))
}

const anyAddress = new Set(['0.0.0.0', '::'])

function familyOf(address: SocketAddress): Endpoint['family'] | undefined {
  const { family } = 'bytes' in address ? decodeSocketAddress(address.bytes) : address
  return typeof family === 'number' || family === 'unspec' ? undefined : family
}

function asEndpoint(address: SocketAddress): Endpoint | undefined {
  const read = 'bytes' in address ? decodeSocketAddress(address.bytes) : address
  if ('path' in read) return read
  return 'port' in read ? endpointOf(read.address, read.port) : undefined
}

function named(bytes: Uint8Array | number, syscall: string): SocketAddress {
  if (typeof bytes === 'number') throw errorOf(bytes, syscall, {})
  return decodeSocketAddress(bytes)
}

/** What is no descriptor's number must not be rounded to one that is: it is EBADF, as the kernel says of -1. */
function number(fd: number): number {
  return Number.isInteger(fd) && fd >= 0 && fd <= 0x7fff_ffff ? fd : -1
}
