/**
 * What cancelpoint/net leans on inside Node.js, all of it here: the handles below net.Socket, how a socket is given one, and
 * what Node does with it as it connects. None of it is documented. A self-test looks at it as this module loads, so that a
 * Node.js that differs is refused with one clear error and no connect goes astray.
 */
import net from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'

import { binding } from '../bridge/binding.js'
import type { UnopenedHandle } from '../bridge/descriptor.js'
import { performance } from '../core/clock.js'
import { domains } from '../core/sockaddr.js'

/** TCP or Pipe, libuv's streams as Node wraps them. */
export interface Handle extends UnopenedHandle {
  connect(request: ConnectRequest, address: string, port?: number): number
  connect6?(request: ConnectRequest, address: string, port: number): number
  bind?(address: string, port: number, flags?: number): number
  bind6?(address: string, port: number, flags?: number): number
  getsockname?(name: { address?: string; port?: number; family?: string }): number
  close(closed?: () => void): void
}

export type HandleClass = new (type: number) => Handle

/** What Node hands to `connect` of a handle, and waits for the end of. */
export interface ConnectRequest {
  oncomplete?: AfterConnect
}

/** With `status` 0 it tells the handle's socket that it is connected. */
export type AfterConnect = (
  status: number,
  handle: Handle,
  request: object,
  readable: boolean,
  writable: boolean,
) => void

/** A net.Socket as Node itself sees it. A TLS socket's handle is a TLSWrap, which has the TCP or Pipe below as `_parent`. */
export interface NodesSocket extends net.Socket {
  _handle: (Handle & { _parent?: Handle; _parentWrap?: unknown }) | null
}

/** For a socket, and not a server: the same number for TCP and Pipe. */
export const SOCKET = 0
const streamType = 1

/** Node 20's libuv fills an abstract name up with NULs, its servers' as its clients'. The kernel takes those for a part of it. */
const fillsNames = Number.parseInt(process.versions.node, 10) <= 20
const pathBytes = 108

/** The path that Node's own connect would use. */
export function nodesPath(path: string): string {
  if (!fillsNames || !path.startsWith('\0')) return path
  return path + '\0'.repeat(Math.max(0, pathBytes - Buffer.byteLength(path)))
}

/** What net.connect hands on to a socket's connect: an array of options and listener. Any other array is an object like others. */
export function isNormalised(given: unknown): given is readonly unknown[] {
  return (
    Array.isArray(given) && Object.getOwnPropertySymbols(given).some((mark) => mark.description === 'normalizedArgs')
  )
}

/** The class of the handle that Node gives a descriptor of this kind. */
function handleClass(domain: number): HandleClass {
  const fd = binding.socket(domain, streamType)
  if (fd < 0) throw new Error(`socket(2) failed with errno ${-fd}`)
  const socket = new net.Socket({ fd, readable: false, writable: false }) as NodesSocket
  const { _handle: handle } = socket
  socket.destroy()
  return handle!.constructor as HandleClass
}

const giveHandle = Object.getOwnPropertySymbols(net.Socket.prototype).find(
  ({ description }) => description === 'kReinitializeHandle',
)

/** The socket has no handle yet. It is to connect by this one. */
export function setHandle(socket: net.Socket, handle: Handle): void {
  const { [giveHandle!]: give } = socket as unknown as Record<symbol, (handle: Handle) => void>
  give!.call(socket, handle)
}

interface Seen {
  TCP: HandleClass
  Pipe: HandleClass
  afterConnect: AfterConnect
  /** Where Node keeps what perf_hooks is told when the socket is connected. A Node without it tells nothing. */
  perf: symbol | undefined
}

/** Lets Node connect a socket by handles that only look, and says what they saw. */
function look(): Seen {
  const [TCP, Pipe] = [handleClass(domains.inet), handleClass(domains.unix)]
  const seen: { path?: unknown; oncomplete?: unknown; name?: unknown; closed: number } = { closed: 0 }
  const watched = (Base: HandleClass) =>
    class extends Base {
      override connect({ oncomplete }: ConnectRequest, path: string): number {
        Object.assign(seen, { oncomplete, path })
        return 0
      }

      override close(closed?: () => void): void {
        seen.closed += typeof closed === 'function' ? 1 : 0
        super.close(closed)
      }
    }
  if (giveHandle === undefined) throw new Error('net.Socket has no kReinitializeHandle')
  const local = new net.Socket()
  setHandle(local, new (watched(Pipe))(SOCKET))
  local.connect({ path: '/cancelpoint' })
  if (!local.connecting || seen.path !== '/cancelpoint' || typeof seen.oncomplete !== 'function')
    throw new Error('a path was not connected by its handle')
  const remote = new net.Socket()
  setHandle(remote, new (watched(TCP))(SOCKET))
  remote.connect({
    host: 'cancelpoint.invalid',
    port: 1,
    autoSelectFamily: false,
    lookup: (name) => {
      seen.name = name
    },
  })
  if (!remote.connecting || seen.name !== 'cancelpoint.invalid') throw new Error('a name was not looked up at once')
  for (const socket of [local, remote]) socket.destroy()
  if (seen.closed !== 2) throw new Error('a destroyed socket did not close its handle')
  return { TCP, Pipe, afterConnect: seen.oncomplete as AfterConnect, perf: perfOf(new (watched(TCP))(SOCKET)) }
}

/** Node keeps it where somebody observes. */
function perfOf(handle: Handle): symbol | undefined {
  const observer = new PerformanceObserver(() => {})
  observer.observe({ entryTypes: ['net'] })
  const socket = new net.Socket()
  setHandle(socket, handle)
  // An address given as such would be connected to a turn later.
  const lookup = ((_name, _options, done) => done(null, '127.0.0.1', 4)) as net.LookupFunction
  socket.connect({ host: 'cancelpoint.invalid', port: 1, autoSelectFamily: false, lookup })
  const found = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'kPerfHooksNetConnectContext',
  )
  socket.destroy()
  observer.disconnect()
  return found
}

/** An attempt starts that Node knows nothing of. perf_hooks is told of it once the socket is connected. */
export function startsPerf(socket: net.Socket, host: string, port: number): void {
  if (!perf) return
  const context = { type: 'net', name: 'connect', detail: { host, port }, startTime: performance.now() }
  Object.assign(socket, { [perf]: context })
}

function lookOrRefuse(): Seen {
  try {
    return look()
  } catch (cause) {
    const { message } = cause as Error
    throw new Error(
      `cancelpoint/net does not know how Node.js ${process.version} connects: ${message}; use connect() of cancelpoint, or another version of Node.js or cancelpoint`,
      { cause },
    )
  }
}

export const { TCP, Pipe, afterConnect, perf } = lookOrRefuse()
