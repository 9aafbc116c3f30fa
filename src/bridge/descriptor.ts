/** Owned descriptors: who closes what, the step into net.Socket, and the count of it all. */
import { Socket, type SocketConnectOpts } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { Ledger } from '../types.js'
import { binding } from './binding.js'
import type { Claim } from './registry.js'

export interface AdoptOptions {
  noDelay?: boolean | undefined
  keepAlive?: boolean | undefined
  allowHalfOpen?: boolean | undefined
}

/**
 * A connected descriptor and the duty to end it: by `adopt`, `release` or `close`. Nonblocking, close-on-exec.
 * `fd` is -1 after any of them; `adopt` and `release` throw then, `close` is idempotent.
 */
export class Descriptor implements Disposable {
  #claim: Claim | undefined
  readonly #options: AdoptOptions

  constructor(claim: Claim, options: AdoptOptions = {}) {
    this.#claim = claim
    this.#options = options
  }

  get fd(): number {
    return this.#claim?.fd ?? -1
  }

  /** Turns it into Node's own socket, which owns it from then on. If Node refuses it, it is closed. */
  adopt(): Socket {
    const claim = this.#take()
    // The main thread is not ended between two statements.
    if (!isMainThread) claim.handOver()
    try {
      return asSocket(claim.fd, this.#options)
    } catch (error) {
      binding.close(claim.fd)
      throw error
    } finally {
      claim.disown()
    }
  }

  /** Gives the bare number away: the caller closes it, and it leaves the ledger. */
  release(): number {
    return this.#take().disown()
  }

  #take(): Claim {
    const claim = this.#claim
    if (!claim) throw new Error('the descriptor is gone: it was adopted, released or closed before')
    this.#claim = undefined
    return claim
  }

  close(): void {
    this.#claim?.close()
    this.#claim = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** One of Node's handles, TCP or Pipe, that is not open yet. */
export interface UnopenedHandle {
  /** 0, or a negative errno. The handle owns the descriptor from then on. */
  open(fd: number): number
}

/** The same step for a handle that a socket already has: a negative errno where Node refuses it, and it is closed then. */
export function openHandle(claim: Claim, handle: UnopenedHandle): number {
  if (!isMainThread) claim.handOver()
  try {
    const errno = handle.open(claim.fd)
    if (errno < 0) binding.close(claim.fd)
    return errno
  } finally {
    claim.disown()
  }
}

/** Bun's Socket takes no descriptor when it is made, but a connect to one: it is open at once, and buffers what it reads. */
function asBunSocket(fd: number, allowHalfOpen: boolean): Socket {
  return new Socket({ allowHalfOpen }).connect({ fd } as unknown as SocketConnectOpts)
}

function asSocket(fd: number, { noDelay, keepAlive, allowHalfOpen = false }: AdoptOptions): Socket {
  // manualStart: without it a socket made from a descriptor reads at once, and could fail, with nobody listening yet.
  // The rest is what Socket sets itself, in a copy: Node 20 is four times as fast where nothing has to be added to that.
  const options = { fd, allowHalfOpen, manualStart: true, emitClose: false, autoDestroy: true, decodeStrings: false }
  const socket = 'bun' in process.versions ? asBunSocket(fd, allowHalfOpen) : new Socket(options)
  if (noDelay) socket.setNoDelay(true)
  if (keepAlive) socket.setKeepAlive(true)
  readFromFirstUse(socket)
  return socket
}

/** What a Writable calls as its user writes, and as its user ends it. */
const uses = ['_write', '_writev', '_final'] as const
type Use = (this: Socket, ...given: unknown[]) => void
type Uses = Record<(typeof uses)[number], Use>

/**
 * From its first listener, write or end on, the socket reads ahead as one of net.connect's does: what only listens for
 * 'close', or only writes and ends, hears of the peer's end, and the socket closes. Before that nothing is read, so nothing
 * is lost and no error goes unheard.
 */
function readFromFirstUse(socket: Socket): void {
  const own = socket as unknown as Uses
  const nodes = Socket.prototype as unknown as Uses
  const start = () => {
    socket.off('newListener', start)
    for (const use of uses) own[use] = nodes[use]
    socket.read(0)
  }
  for (const use of uses)
    own[use] = function (...given) {
      start()
      nodes[use].apply(this, given)
    }
  socket.on('newListener', start)
}

/** Destroys a socket and waits until its descriptor is closed. */
export function closeSocket(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.destroy()
  })
}

/**
 * What the whole process owns, counted in native code: descriptors and address buffers of lanes, registry and
 * Descriptors, lanes not yet joined, attempts not yet settled. Adopted sockets and cancelpoint/posix's
 * descriptors are not in it. All 0 once every manager is closed.
 */
export function ledger(): Ledger {
  return binding.ledger()
}
