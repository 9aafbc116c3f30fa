/** An Agent for node:http and node:https, so for got, axios and whoever takes one: a request that ends takes its pending connect along. */
import http from 'node:http'
import https from 'node:https'
import { type LookupFunction, Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

import { sharedManager } from '../default-manager.js'
import type { ConnectionManager } from '../manager.js'
import type { ConnectOptions, Target } from '../types.js'

/** Those of https.Agent, its TLS options included. */
export interface AgentOptions extends https.AgentOptions {
  /** Whose connects they are; its options hold for each. The process's shared one by default. */
  manager?: ConnectionManager | undefined
}

type Done = (error: Error | null, socket?: Socket) => void

/** A request's options as Node's Agent hands them on: the request's and the agent's in one. */
interface RequestOptions extends https.RequestOptions {
  /** Absent where createConnection is called by somebody else than Node's Agent. */
  [requestOf]?: http.ClientRequest
  _agentKey: string
  href?: string
  keepAlive?: boolean
  keepAliveInitialDelay?: number
}

/** Node's Agent below its documented face. agent-base, and so every proxy agent, builds on the same. */
interface Pool {
  sockets: Record<string, Socket[]>
  requests: Record<string, http.ClientRequest[]>
  totalSocketCount: number
  createSocket(request: http.ClientRequest, options: object, done: Done): void
  removeSocket(socket: Socket, options: object): void
}

const requestOf = Symbol('request')
const pool = http.Agent.prototype as unknown as Pool

/**
 * Serves http: and https: alike. `request.destroy()`, the request's `signal` and its `timeout` work while it connects;
 * the request's 'error' and 'close' come once the connect is released. Destroyed requests that wait for a free socket
 * (`maxSockets`) never connect. TLS sessions are not resumed, and `family` is not taken: give a `lookup`.
 */
export class Agent extends http.Agent {
  declare protocol: string | undefined
  declare defaultPort: number
  readonly #manager: ConnectionManager | undefined

  constructor({ manager, ...options }: AgentOptions = {}) {
    super(options)
    this.#manager = manager
    // No protocol: Node lets a request of either pass.
    this.protocol = undefined
    this.defaultPort = httpPort
  }

  /** What sockets are shared by: never a plain one by https:, though both name the same port. */
  override getName(options: https.RequestOptions = {}): string {
    return (isSecure(options) ? 'https:' : 'http:') + https.Agent.prototype.getName.call(this, options)
  }

  /** Node's own, which tells its createConnection everything but the request. */
  createSocket(request: http.ClientRequest, options: object, done: Done): void {
    pool.createSocket.call(this, request, { ...options, [requestOf]: request }, done)
  }

  override createConnection(
    given: http.ClientRequestArgs,
    created?: (error: Error | null, s: Socket) => void,
  ): undefined {
    const [options, done] = [given as RequestOptions, created as Done]
    const request = options[requestOf]
    if (!request) {
      connect(this.#manager ?? sharedManager(), options, options.signal).then((socket) => done(null, socket), done)
      return
    }
    const pending = whilePending(request)
    const free = holdPlace(this as unknown as Pool, options, pending.cancel)
    connect(this.#manager ?? sharedManager(), options, pending.signal).then(
      (socket) => {
        pending.end()
        free()
        done(null, socket)
      },
      (error) => {
        pending.end()
        // Without a socket and destroyed: Node has it say what it was destroyed with.
        if (request.destroyed) request.onSocket(undefined as never)
        else done(pending.signal.aborted ? pending.signal.reason : error)
        free(request)
      },
    )
  }
}

const httpPort = 80
const httpsPort = 443

/** Where the request does not say it, the module whose request() it is has. */
function isSecure({ protocol, _defaultAgent }: https.RequestOptions): boolean {
  return (protocol ?? (_defaultAgent as { protocol?: string } | undefined)?.protocol) === 'https:'
}

async function connect(
  manager: ConnectionManager,
  options: RequestOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const tls = isSecure(options) && tlsOptions(options)
  const socket = await manager.connect(targetOf(options), { ...connectOptions(options), tls, signal })
  if (options.keepAlive) socket.setKeepAlive(true, options.keepAliveInitialDelay)
  if (options.timeout) socket.setTimeout(options.timeout)
  return socket
}

function targetOf(options: RequestOptions): Target {
  const { socketPath, host, port, href } = options
  if (socketPath) return { path: socketPath }
  // Node has filled in the default port of the agent, which cannot know the protocol.
  const written = new URL(href ?? 'https://host').port
  const defaulted = isSecure(options) && Number(port) === httpPort && written !== String(httpPort)
  return { host: host ?? 'localhost', port: defaulted ? httpsPort : Number(port) }
}

function connectOptions({ localAddress, localPort, lookup }: RequestOptions): ConnectOptions {
  return {
    noDelay: true,
    ...(localAddress && { localAddress }),
    ...(localPort && { localPort }),
    ...(lookup && { lookup: promised(lookup) }),
  }
}

/** The request's own are the manager's matter: where to, from where, by which signal. */
function tlsOptions({ signal, path, port, timeout, lookup, ...rest }: RequestOptions): ConnectionOptions {
  const options = rest as ConnectionOptions
  return { ...options, ALPNProtocols: options.ALPNProtocols ?? ['http/1.1'] }
}

/** A lookup as Node's clients take it, as a promise of all addresses. */
function promised(lookup: LookupFunction): ConnectOptions['lookup'] {
  return (hostname) =>
    new Promise((resolve, reject) => {
      lookup(hostname, { all: true }, (error, found) => {
        if (error) reject(error)
        else resolve(typeof found === 'string' ? [found] : found.map(({ address }) => address))
      })
    })
}

interface Pending {
  signal: AbortSignal
  cancel(): void
  end(): void
}

/** A request without a socket says nothing when it is destroyed, so it is watched; and its timeout runs here meanwhile. */
function whilePending(request: http.ClientRequest): Pending {
  const controller = new AbortController()
  const { destroy, timeout } = request as http.ClientRequest & { timeout?: number }
  const cancel = () => controller.abort(socketHangUp())
  request.destroy = function (error) {
    cancel()
    return destroy.call(this, error)
  }
  if (request.destroyed) cancel()
  const timer = timeout && setTimeout(() => request.emit('timeout'), timeout)
  const end = () => {
    request.destroy = destroy
    clearTimeout(timer || undefined)
  }
  return { signal: controller.signal, cancel, end }
}

/** What Node has a request say whose socket was closed before it was of use. */
function socketHangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
}

/**
 * A pending connect counts as one of the agent's sockets; Node counts only what it has. Freed, it makes room for the
 * socket; freed by a request that failed, it makes room for the next request in line.
 */
function holdPlace(agent: Pool, options: RequestOptions, cancel: () => void): (failed?: http.ClientRequest) => void {
  const { _agentKey: name } = options
  const place = new Socket()
  // As Agent.destroy() does with all it has.
  place.once('close', () => cancel())
  agent.sockets[name] ??= []
  agent.sockets[name].push(place)
  agent.totalSocketCount += 1
  return (failed) => {
    if (failed) {
      // Node leaves the request at the head of its line, where it would be tried again and again.
      const line = agent.requests[name]
      const at = line?.indexOf(failed) ?? -1
      if (at >= 0) line!.splice(at, 1)
      if (line?.length === 0) delete agent.requests[name]
      agent.removeSocket(place, options)
      return
    }
    const sockets = agent.sockets[name]!
    sockets.splice(sockets.indexOf(place), 1)
    agent.totalSocketCount -= 1
  }
}
