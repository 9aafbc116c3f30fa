/** An Agent for node:http and node:https, and for clients that take one (got, axios). A request that ends cancels its pending connect. */
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

import { Cancellation } from '../call/cancellation.js'
import { sharedManager } from '../default-manager.js'
import type { ConnectionManager } from '../manager.js'
import type { ConnectOptions, Target } from '../types.js'
import { type Done, holdPlace, type Pool, takeFromLine, watch } from './http-pending.js'
import { requireAdapterOptions } from './options.js'

type Own = 'signal' | 'timeoutMs' | 'attemptTimeoutMs' | 'engine' | 'retry' | 'blockList'

/**
 * Those of https.Agent, its TLS options included, and connect()'s own beside them: `timeoutMs`, `attemptTimeoutMs`, `engine`,
 * `retry`, `blockList` and `signal`, which ends every connect of the agent. What both have by one name is Node's:
 * `keepAlive` keeps sockets for other requests, `lookup` takes a callback. Node's `timeout` is of a silent socket.
 */
export interface AgentOptions extends Omit<https.AgentOptions, Own>, Pick<ConnectOptions, Own> {
  /** Whose connects they are; its options hold for each that has none of its own. The process's shared one by default. */
  manager?: ConnectionManager | undefined
}

/** A request's options as Node's Agent hands them on: the request's and the agent's in one. */
interface RequestOptions extends https.RequestOptions {
  /** Absent where createConnection is called by somebody else than Node's Agent. */
  [requestOf]?: http.ClientRequest
  _agentKey: string
  href?: string
  noDelay?: boolean
  allowHalfOpen?: boolean
  keepAlive?: boolean
  keepAliveInitialDelay?: number
}

const requestOf = Symbol('request')

/**
 * Serves http: and https: alike. `request.destroy()`, the request's `signal` and its `timeout` work while it connects;
 * the request's 'error' and 'close' come once the connect is released. Destroyed requests that wait for a free socket
 * (`maxSockets`) never connect. TLS sessions are not resumed, and `family` is not taken: give a `lookup`.
 */
export class Agent extends http.Agent {
  declare protocol: string | undefined
  declare defaultPort: number
  /** As https.Agent has them, so that what wants one (got) takes this too. */
  declare options: https.AgentOptions
  readonly #manager: ConnectionManager | undefined
  readonly #signal: AbortSignal | undefined
  readonly #defaults: ConnectOptions

  /** @throws RangeError or TypeError that names the option. */
  constructor(options: AgentOptions = {}) {
    requireAgentOptions(options)
    const { manager, signal, timeoutMs, attemptTimeoutMs, engine, retry, blockList, ...nodes } = options
    super(nodes)
    this.#manager = manager
    this.#signal = signal
    this.#defaults = { timeoutMs, attemptTimeoutMs, engine, retry, blockList }
    // No protocol: Node lets a request of either pass.
    this.protocol = undefined
    this.defaultPort = httpPort
  }

  /** What sockets are shared by: never a plain one by https:, though both name the same port, and by the port meant. */
  override getName(options: https.RequestOptions = {}): string {
    const name = https.Agent.prototype.getName.call(this, { ...options, port: portOf(options) })
    return (isSecure(options) ? 'https:' : 'http:') + name
  }

  /** Node's own, which tells its createConnection everything but the request. */
  createSocket(request: http.ClientRequest, options: object, done: Done): void {
    const { createSocket } = http.Agent.prototype as unknown as Pool
    createSocket.call(this, request, { ...options, [requestOf]: request }, done)
  }

  override createConnection(
    given: http.ClientRequestArgs,
    created?: (error: Error | null, s: Socket) => void,
  ): undefined {
    const [options, done] = [given as RequestOptions, created as Done]
    const { [requestOf]: request, _agentKey: name } = options
    if (!request) {
      this.#connect(options, options.signal ?? this.#signal).then((socket) => done(null, socket), done)
      return
    }
    const agent = this as unknown as Pool
    const cancellation = new Cancellation(this.#signal)
    const cancel = () => cancellation.request(socketHangUp)
    const backInLine = takeFromLine(agent, name, request)
    const free = holdPlace(agent, name, cancel)
    const unwatch = watch(request, cancel)
    const end = () => {
      cancellation.end()
      unwatch()
      return free()
    }
    this.#connect(options, cancellation.signal).then(
      (socket) => {
        end()
        backInLine()
        done(null, socket)
      },
      (error) => {
        const place = end()
        // Without a socket and destroyed: Node has it say what it was destroyed with.
        if (request.destroyed) request.onSocket(undefined as never)
        else done(cancellation.requested ? cancellation.error() : error)
        // Its place is for the next in line.
        agent.removeSocket(place, options)
      },
    )
  }

  async #connect(options: RequestOptions, signal: AbortSignal | undefined): Promise<Socket> {
    const tls = isSecure(options) && tlsOptions(options)
    const manager = this.#manager ?? sharedManager()
    const wanted = { ...this.#defaults, ...connectOptions(options), tls, signal }
    const socket = await manager.connect(targetOf(options), wanted)
    if (options.keepAlive) socket.setKeepAlive(true, options.keepAliveInitialDelay)
    if (options.timeout) socket.setTimeout(options.timeout)
    return socket
  }
}

function requireAgentOptions(options: AgentOptions & { tls?: unknown }): void {
  requireAdapterOptions(options as ConnectOptions)
  if (options.tls === undefined) return
  throw new TypeError('tls is not for an Agent: give the TLS options beside the others, as to https.Agent')
}

const httpPort = 80
const httpsPort = 443

/** Where the request does not say it, the module whose request() it is has. */
function isSecure({ protocol, _defaultAgent }: https.RequestOptions): boolean {
  return (protocol ?? (_defaultAgent as { protocol?: string } | undefined)?.protocol) === 'https:'
}

function targetOf(options: RequestOptions): Target {
  const { socketPath, host } = options
  return socketPath ? { path: socketPath } : { host: host ?? 'localhost', port: portOf(options) }
}

/** Node has filled in the default port of the agent, which cannot know the protocol. */
function portOf(options: https.RequestOptions & { href?: string }): number {
  const port = Number(options.port)
  if (port !== httpPort || !isSecure(options)) return port
  return new URL(options.href ?? 'https://host').port === String(httpPort) ? httpPort : httpsPort
}

function connectOptions(options: RequestOptions): ConnectOptions {
  const { noDelay = true, allowHalfOpen, localAddress, localPort, lookup } = options
  return {
    noDelay,
    allowHalfOpen,
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
        // Whatever it found is read, and refused, where every lookup's is.
        else resolve(Array.isArray(found) ? found.map((each) => each?.address) : [found])
      })
    })
}

/** What Node has a request say whose socket was closed before it was of use. */
function socketHangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
}
