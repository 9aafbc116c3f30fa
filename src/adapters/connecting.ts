/**
 * One connect of a net.Socket, from its handle's `connect` to an open handle or a destroyed socket. Node has the socket, its
 * writes, its timers and its events; the connect is a call of cancelpoint's. The call owns the descriptor until the handle
 * has opened it. `destroy()` closes the handle, and closing it cancels the call: the handle is closed, and the socket's
 * 'close' emitted, once everything that the call held is released.
 */
import { AsyncResource } from 'node:async_hooks'
import { isIPv6 } from 'node:net'
import { openHandle } from '../bridge/descriptor.js'
import type { Claim } from '../bridge/registry.js'
import { safely } from '../bridge/settling.js'
import type { Call, Observer } from '../call/call.js'
import type { Calls, Work } from '../call/calls.js'
import { type Established, establish } from '../call/connect.js'
import type { CallSettings } from '../call/settings.js'
import { nextTick } from '../core/clock.js'
import type { Endpoint, InetEndpoint } from '../core/endpoint.js'
import { type ParsedTarget, parseTarget } from '../core/target.js'
import { lateAbortError, withoutStack } from '../errors/abort-error.js'
import { ConnectError } from '../errors/connect-error.js'
import { codeOf } from '../errors/errnos.js'
import {
  afterConnect,
  type ConnectRequest,
  type Handle,
  type HandleClass,
  type NodesSocket,
  Pipe,
  SOCKET,
  startsPerf,
  TCP,
} from './nodes-net.js'

/** How a socket connects: by whose calls, and with which settings. */
export interface Way {
  readonly calls: Calls
  readonly settings: CallSettings
  /** Node tries a name's addresses one after the other, and then lists those it has tried. */
  readonly listsAttempts: boolean
}

const underWay = Symbol('cancelpoint.connecting')

/** A handle of Node's, by which no socket connects but ours. */
interface ConnectingHandle extends Handle {
  [underWay]?: Connecting | undefined
}

type Source = { address: string; port: number; family: string }

/** A handle class of Node's with our connect in it. Before and after the connect it is Node's in all. */
function connecting(Base: HandleClass) {
  return class extends Base implements ConnectingHandle {
    declare [underWay]?: Connecting | undefined

    override connect(request: ConnectRequest, address: string, port?: number): number {
      return this[underWay]?.connect(address, port) ?? super.connect(request, address, port)
    }

    override close(closed?: () => void): void {
      const close = () => super.close(closed)
      if (this[underWay]) this[underWay].close(close)
      else close()
    }
  }
}

/** Pipe has none of these methods, and Node looks whether a handle has them. */
class ConnectingTCP extends connecting(TCP) {
  override connect6(request: ConnectRequest, address: string, port: number): number {
    return this[underWay]?.connect(address, port) ?? TCP.prototype.connect6!.call(this, request, address, port)
  }

  override bind(address: string, port: number, flags?: number): number {
    return this[underWay]?.bind(address, port) ?? TCP.prototype.bind!.call(this, address, port, flags)
  }

  override bind6(address: string, port: number, flags?: number): number {
    return this[underWay]?.bind(address, port) ?? TCP.prototype.bind6!.call(this, address, port, flags)
  }

  override getsockname(name: Partial<Source>): number {
    const source = this[underWay]?.source
    if (source) Object.assign(name, source)
    return source ? 0 : TCP.prototype.getsockname!.call(this, name)
  }
}

const ConnectingPipe = connecting(Pipe)

/** A fresh handle of ours. */
export const newHandle = (isPath: boolean): Handle => (isPath ? new ConnectingPipe(SOCKET) : new ConnectingTCP(SOCKET))

const turned = new Map<object, object>([
  [TCP.prototype, ConnectingTCP.prototype],
  [Pipe.prototype, ConnectingPipe.prototype],
])

/** Turns a handle that Node made, and that is not open, into one of ours. False for any other. */
export function turn(handle: Handle): boolean {
  const prototype = Object.getPrototypeOf(handle)
  const ours = turned.get(prototype)
  if (ours) Object.setPrototypeOf(handle, ours)
  return ours !== undefined || [...turned.values()].includes(prototype)
}

export const isUnderWay = (handle: ConnectingHandle | null | undefined): boolean => handle?.[underWay] !== undefined

export class Connecting implements Observer, Work<Established> {
  readonly #socket: NodesSocket
  readonly #handle: ConnectingHandle
  readonly #way: Way
  /** Listeners are called in the context that the connect was asked for in. */
  readonly #context = new AsyncResource('cancelpoint')
  readonly observer = this
  #call: Call | undefined
  #isCalling = false
  /** Node told of this attempt itself. */
  #isTold = false
  #close: (() => void) | undefined
  source: Source | undefined

  /** The socket is to connect by `handle`, which is its own or the one below its TLS. Until it does, a close is Node's. */
  constructor(socket: NodesSocket, handle: Handle, way: Way) {
    this.#socket = socket
    this.#handle = handle
    this.#way = way
    this.#handle[underWay] = this
  }

  /** Node found a numeric address or a path, and has emitted 'connectionAttempt'. */
  connect(address: string, port: number | undefined): number {
    this.#isTold = true
    this.#begin(() => {
      if (port === undefined) return pathTarget(address)
      return portZero(address, port) ?? parseTarget({ host: address, port })
    })
    return 0
  }

  /** Node asks for a name's addresses, and is never told any: the call has a look-up of its own. */
  connectByName(hostname: string, port: number): void {
    nextTick(() => {
      if (this.#handle[underWay] !== this || this.#socket.destroyed) return
      this.#begin(() => {
        // A look-up of the caller's may know any name, and the kernel refuses port 0.
        if (port === 0 || this.#way.settings.lookup) return { kind: 'name', hostname, port }
        return parseTarget({ host: hostname, port })
      })
    })
  }

  /** Node fixes the source of a descriptor that it does not have. The call does so to its own. */
  bind(address: string, port: number): number {
    this.source = { address, port, family: isIPv6(address) ? 'IPv6' : 'IPv4' }
    return 0
  }

  /** The handle is being closed: by destroy(), say. */
  close(close: () => void): void {
    if (!this.#isCalling) {
      this.end()
      close()
      return
    }
    this.#close = close
    this.#call?.cancellation.request(destroyed)
  }

  run(call: Call): Promise<Established> {
    this.#call = call
    return establish(call)
  }

  discard({ claim }: Established): void {
    claim.close()
  }

  found(endpoints: readonly InetEndpoint[]): void {
    for (const { address, family } of endpoints) this.#emit('lookup', null, address, numberOf[family], this.#hostname)
    if (this.#way.listsAttempts)
      (this.#socket as { autoSelectFamilyAttemptedAddresses?: string[] }).autoSelectFamilyAttemptedAddresses ??= []
  }

  notFound(error: unknown): void {
    this.#emit('lookup', this.#told(error as Error), undefined, undefined, this.#hostname)
  }

  starts(endpoint: Endpoint): void {
    if (endpoint.family !== 'unix') {
      this.#socket.autoSelectFamilyAttemptedAddresses?.push(`${endpoint.address}:${endpoint.port}`)
      if (!this.#isTold) startsPerf(this.#socket, endpoint.address, endpoint.port)
    }
    if (!this.#isTold) this.#emit('connectionAttempt', ...partsOf(endpoint))
    this.#isTold = false
  }

  failed(endpoint: Endpoint, error: ConnectError): void {
    this.#emit('connectionAttemptFailed', ...partsOf(endpoint), error)
  }

  get #hostname(): string | undefined {
    return this.#call?.hostname
  }

  #begin(targetOf: () => ParsedTarget): void {
    this.#isCalling = true
    let delivered: Promise<Established>
    try {
      delivered = this.#way.calls.deliver(targetOf(), this.#way.settings, this)
    } catch (error) {
      delivered = Promise.reject(error)
    }
    delivered.then(
      ({ claim }) => this.#connected(claim),
      (error) => this.#failed(error),
    )
  }

  #connected(claim: Claim): void {
    this.end()
    if (this.#close || this.#socket.destroyed) {
      claim.close()
      this.#close?.()
      return
    }
    const errno = openHandle(claim, this.#handle)
    if (errno < 0) {
      this.#socket.destroy(notOpened(errno))
      return
    }
    // Its listeners are called from here. What they throw must not reject a promise of ours.
    nextTick(() => afterConnect(0, this.#handle, {}, true, true))
  }

  #failed(error: Error): void {
    this.end()
    if (this.#close) this.#close()
    else this.#socket.destroy(this.#told(error))
  }

  /** Node's errors have the source where the caller fixed all of it, the path of AF_UNIX as their address, and getaddrinfo's names. */
  #told(error: Error): Error {
    if (!(error instanceof ConnectError)) return error
    const { localAddress, localPort, lookup } = this.#way.settings
    // Node's words for it, and libuv's number for EAI_NONAME. A caller's look-up has its own.
    if (error.hostname && !lookup && ['ENOTFOUND', 'EAI_AGAIN'].includes(error.code)) {
      const message = error.message.replace(`${error.syscall} `, 'getaddrinfo ')
      Object.assign(error, { message, syscall: 'getaddrinfo', errno: error.errno || -3008 })
    }
    if (localAddress && localPort) Object.assign(error, { localAddress, localPort })
    const path = error.path?.replace(/\0+$/, '')
    if (path !== undefined) Object.assign(error, { path, address: path })
    return error
  }

  /** The handle is Node's again. */
  end(): void {
    this.#isCalling = false
    this.#handle[underWay] = undefined
    this.#call = undefined
  }

  #emit(event: string, ...given: unknown[]): void {
    if (!this.#socket.connecting || this.#socket.listenerCount(event) === 0) return
    safely(() => this.#context.runInAsyncScope(() => this.#socket.emit(event, ...given)))
  }
}

const numberOf = { inet: 4, inet6: 6 } as const

/** As Node tells an attempt: address, port and family, or a path. */
function partsOf(endpoint: Endpoint): [address: string, port?: number, family?: number] {
  if (endpoint.family === 'unix') return [endpoint.path, undefined, undefined]
  return [endpoint.address, endpoint.port, numberOf[endpoint.family]]
}

/** A path that cannot be one is refused as the kernel would refuse it. A leading '@' is one of a file here. */
function pathTarget(path: string): ParsedTarget {
  try {
    return parseTarget({ path: path.startsWith('@') ? `./${path}` : path })
  } catch (cause) {
    const endpoint: Endpoint = { family: 'unix', path }
    throw new ConnectError({ code: 'EINVAL', syscall: 'connect', endpoint, errnoClass: 'misuse', cause })
  }
}

/** Port 0 is no target, but Node lets the kernel refuse it. */
function portZero(address: string, port: number): ParsedTarget | undefined {
  if (port !== 0) return undefined
  return { kind: 'endpoint', endpoint: { family: isIPv6(address) ? 'inet6' : 'inet', address, port } }
}

/** Nobody sees it: a destroyed socket says what it was destroyed with. */
const destroyed = () => lateAbortError(new Error('the socket was destroyed'))

function notOpened(errno: number): ConnectError {
  return withoutStack(() => new ConnectError({ code: codeOf(errno), syscall: 'open', errnoClass: 'local' }))
}
