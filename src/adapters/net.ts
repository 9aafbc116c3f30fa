/**
 * A socket at once: net.connect with cancelpoint's connect in it. The socket is Node's, its handle is Node's with our
 * `connect` (connecting.ts), and Node checks the options, buffers the writes and emits the events.
 */
import net from 'node:net'

import { Cancellation } from '../call/cancellation.js'
import { signalKind } from '../options.js'
import { Connecting, isUnderWay, newHandle, turn, type Way } from './connecting.js'
import { lookupOf, type NetOptions, ourArguments, promised, wayOf } from './net-options.js'
import { type Handle, type NodesSocket, setHandle } from './nodes-net.js'
import { requireOwn } from './options.js'

export type { NetOptions, OwnOptions } from './net-options.js'

type Listener = () => void
type Connect = (this: net.Socket, options: object, listener?: Listener) => net.Socket

/** `createConnection`'s socket. It goes by the name of net.Socket, and does what one does. */
class Socket extends net.Socket {
  static {
    Reflect.deleteProperty(Socket.prototype, 'constructor')
  }

  /** Clients that are given a socket may have it connect (pg). One that is connecting goes on: it has its target. */
  override connect(...given: unknown[]): this {
    const { options, listener } = ourArguments(given)
    if (isUnderWay((this as unknown as NodesSocket)._handle)) return listener ? this.once('connect', listener) : this
    connectThrough(super.connect as Connect, this, options, listener)
    return this
  }
}

/**
 * net.connect with its shapes and options, `(target, options?, listener?)`, and cancelpoint's `timeoutMs`,
 * `attemptTimeoutMs`, `engine`, `retry`, `manager` beside them. A socket at once: it is `connecting`, and buffers what is
 * written. `destroy()` cancels what is under way, and 'close' comes after the release. A failed connect is an 'error' with
 * a ConnectError. Without the options of cancelpoint's there is no retry and no limit that Node has not.
 * @throws RangeError or TypeError that names the option; what Node throws at its own options.
 */
export function createConnection(options: NetOptions, listener?: Listener): net.Socket
export function createConnection(port: number | string, host?: string, listener?: Listener): net.Socket
export function createConnection(port: number | string, listener?: Listener): net.Socket
export function createConnection(target: string, options: Partial<NetOptions>, listener?: Listener): net.Socket
export function createConnection(targetOrPath: string, listener?: Listener): net.Socket
export function createConnection(...given: unknown[]): net.Socket {
  const { options, listener } = ourArguments(given)
  // Node refuses an array with words of its own.
  if (!Array.isArray(options)) requireOwn(options)
  return openSocket(options, listener)
}

export { createConnection as connect }

/** The same for an adapter, which has checked the options. */
export function openSocket(options: NetOptions, listener?: Listener): net.Socket {
  // The call applies the block list, to names as well.
  const { blockList, signal, ...nodes } = options
  const isSignal = signal !== undefined && signalKind.allows(signal)
  const socket = new Socket(isSignal ? nodes : { ...nodes, signal })
  if (options.timeout) socket.setTimeout(options.timeout)
  try {
    connectThrough(net.Socket.prototype.connect as Connect, socket, options, listener)
  } catch (error) {
    socket.destroy()
    throw error
  }
  if (isSignal) destroyBy(signal, socket)
  return socket
}

/** What Node does with a socket's `signal`, but that all share one listener, which goes with the last of them. Node's stay. */
export function destroyBy(signal: AbortSignal, socket: net.Socket): void {
  const cancellation = new Cancellation(signal)
  cancellation.onRequest(() => socket.destroy(cancellation.error()))
  if (!cancellation.requested) socket.once('close', () => cancellation.end())
}

/** Its connect is handed on to Node's now. cancelpoint/register may stand before that, and lets it pass. */
let handedOn: net.Socket | undefined

/** Has `socket` connect by a call, where its handle is one that Node would connect by. `connect` is Node's own. */
export function connectThrough(
  connect: Connect,
  socket: net.Socket,
  options: NetOptions & Partial<net.TcpNetConnectOpts>,
  listener: Listener | undefined,
  way: () => Way = () => wayOf(options),
): net.Socket {
  if (handedOn === socket) return connect.call(socket, options, listener)
  const { _handle: given } = socket as NodesSocket
  // Node ends the TLS of such a socket as it makes it, and then lets it connect: that is left to Node.
  if (given?._parent && options.signal?.aborted) return connect.call(socket, options, listener)
  const handle = handleFor(socket as NodesSocket, Boolean((options as Partial<net.IpcNetConnectOpts>).path))
  if (!handle) return connect.call(socket, options, listener)
  const chosen = way()
  const connecting = new Connecting(socket as NodesSocket, handle, chosen)
  const lookUp: net.LookupFunction = (hostname, asked) => {
    const { listsAttempts: all, settings } = chosen
    const lookup = lookupOf(options, hostname, settings.lookup !== undefined)
    const port = Number(options.port) || 0
    if (lookup) {
      settings.lookup = promised({ lookup, hostname, port, options: all ? { ...asked, all } : asked })
      // It was told the family, and what it finds is taken. A manager's own family holds.
      if (options.family) delete settings.family
    }
    connecting.connectByName(hostname, port)
  }
  const before = handedOn
  handedOn = socket
  try {
    return connect.call(socket, withLookup(options, lookUp), listener)
  } catch (error) {
    connecting.end()
    throw error
  } finally {
    handedOn = before
  }
}

/** Undefined for a socket whose handle is neither Node's nor ours, or open already. */
function handleFor(socket: NodesSocket, isPath: boolean): Handle | undefined {
  const { _handle: own } = socket
  if (!own || socket.destroyed) {
    const handle = newHandle(isPath)
    if (socket.destroyed) socket._handle = null
    setHandle(socket, handle)
    return handle
  }
  // TLS over a socket of its own: the handle below has to connect.
  const below = own._parent ?? own
  return !own._parentWrap && (below as { fd?: number }).fd === -1 && turn(below) ? below : undefined
}

/** A copy that Node checks as the caller's. A look-up that is no function is left, for Node to refuse. */
function withLookup(options: NetOptions & Partial<net.TcpNetConnectOpts>, lookUp: net.LookupFunction): object {
  const { autoSelectFamily, lookup } = options
  const changed = {
    ...((autoSelectFamily === undefined || autoSelectFamily === null || typeof autoSelectFamily === 'boolean') && {
      autoSelectFamily: false,
    }),
    ...((lookup === undefined || lookup === null || typeof lookup === 'function') && { lookup: lookUp }),
  }
  const prototype = Object.getPrototypeOf(options)
  if (prototype === null || prototype === Object.prototype) return { ...options, ...changed }
  const described = Object.entries(changed).map(([name, value]) => [name, { value, enumerable: true }])
  return Object.create(options, Object.fromEntries(described))
}
