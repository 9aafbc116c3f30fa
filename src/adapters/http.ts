/** An Agent for node:http and node:https, and for clients that take one (got, axios, node-fetch): Node's own, over sockets of cancelpoint/net. */
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'

import { withoutDot } from '../core/hostname.js'
import { openSocket } from './net.js'
import { nodesArguments, type OwnOptions, timeoutMsOf } from './net-options.js'
import { requireMakersOptions } from './options.js'
import { onTop } from './tls.js'

/**
 * Those of https.Agent, its TLS options included, and cancelpoint's own beside them. What both have by one name is Node's:
 * `signal` destroys the agent's sockets, `timeout` is of a silent socket, `lookup` takes a callback.
 */
export interface AgentOptions extends Omit<https.AgentOptions, keyof OwnOptions>, OwnOptions {
  /** Destroys every socket of the agent, those that connect and those that are in use. */
  signal?: AbortSignal | undefined
  /** `http:` or `https:`, for an agent of one of them alone. Default: the request says which. */
  protocol?: 'http:' | 'https:' | undefined
}

/** A request's options as Node's Agent hands them on: the request's and the agent's in one. */
interface RequestOptions extends https.RequestOptions {
  href?: string
}

/** Taken as this module loads: `https.Agent = Agent` is what some people write. */
const NodesAgent = https.Agent
const { getName: nameOfPlain } = http.Agent.prototype
const own = Symbol('of the agent itself')

/**
 * Serves http: and https: alike: whether a request is secure is read from the request. Pooling, `maxSockets`, keep-alive, TLS
 * sessions, timeouts, aborts and events are Node's own; the connect of each socket is cancelpoint's, and what ends the request
 * or destroys the agent cancels it.
 */
export class Agent extends NodesAgent {
  declare protocol: string | undefined
  declare defaultPort: number
  declare private [own]: { protocol?: string; defaultPort?: number }

  /** @throws RangeError or TypeError that names the option. */
  constructor(options: AgentOptions = {}) {
    requireAgentOptions(options)
    super(options as https.AgentOptions)
    const { protocol, defaultPort } = options as { protocol?: string; defaultPort?: number }
    this[own] = { ...(protocol && { protocol }), ...(defaultPort && { defaultPort }) }
    // Node puts the agent's options over a request's. Its own defaults among them would hide what the request says.
    const { protocol: _, defaultPort: __, ...rest } = this.options as AgentOptions & { defaultPort?: number }
    this.options = { __proto__: null, ...rest, ...this[own] } as never
  }

  /** Node's requests come here. What each is, is settled now: one in line stays so when the global agents change. */
  addRequest(request: http.ClientRequest, given: RequestOptions | string, ...place: unknown[]): void {
    const { addRequest } = NodesAgent.prototype as unknown as { addRequest: (...given: unknown[]) => void }
    const options = typeof given === 'object' ? given : { host: given, port: place[0], localAddress: place[1] }
    const settled = {
      protocol: isSecure(options as RequestOptions, this) ? 'https:' : 'http:',
      port: portOf(options as RequestOptions, this),
    }
    addRequest.call(this, request, { ...options, ...settled })
  }

  /** What sockets are shared by, as Node names them, and by the port meant. A name of https: has more parts than one of http:. */
  override getName(options: https.RequestOptions = {}): string {
    const named = { ...options, port: portOf(options, this) }
    return isSecure(options, this) ? super.getName(named) : nameOfPlain.call(this, named as http.RequestOptions)
  }

  /** A socket at once, plain or with TLS on top. */
  override createConnection(given: RequestOptions, created?: (...given: never[]) => void): Socket
  override createConnection(...given: unknown[]): Socket {
    const { options: place, listener } = nodesArguments(given)
    // Node takes a port and a host before the options too.
    const more = given.slice(1).find((each) => typeof each === 'object')
    // Node has put the agent's options in; others who call this have not.
    const request = { ...this.options, ...more, ...place } as RequestOptions
    const { socketPath } = request
    const options = { ...request, port: portOf(request, this), ...(socketPath && { path: socketPath }) }
    if (!isSecure(request, this)) return openSocket(options as never, listener)
    const { timeout, signal, servername, host } = options
    const socket = openSocket({ ...options, timeout: undefined, signal: undefined } as never)
    try {
      const named = { servername: servername && withoutDot(servername), host: host && withoutDot(host) }
      // Node's own sees to sessions and to what its requests look for.
      const create = super.createConnection as (options: object) => Socket
      const secured = create.call(this, { ...options, ...named, path: null, signal: undefined, socket })
      if (timeout) secured.setTimeout(timeout)
      return onTop(socket, secured, { timeoutMs: timeoutMsOf(options as OwnOptions), signal })
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
}

/** Node's constructors set these on the agent, and its requests read them before they say what they are. */
Object.defineProperties(Agent.prototype, {
  protocol: {
    get(this: Agent) {
      return this[own]?.protocol ?? protocolOf(this)
    },
    set(this: Agent, protocol: string) {
      if (this[own]) this[own].protocol = protocol
    },
  },
  defaultPort: {
    get(this: Agent) {
      return this[own]?.defaultPort ?? (this.protocol === 'https:' ? httpsPort : httpPort)
    },
    set(this: Agent, port: number) {
      if (this[own]) this[own].defaultPort = port
    },
  },
})

const httpPort = 80
const httpsPort = 443

/** Of a module's global agent, that module's. Any other takes requests of both: Node lets those pass where there is none. */
function protocolOf(agent: Agent): string | undefined {
  const [plain, secure] = [http.globalAgent, https.globalAgent].map((global) => (global as unknown) === agent)
  if (plain && secure) throw new TypeError('one Agent is the globalAgent of http and of https: make one for each')
  return secure ? 'https:' : plain ? 'http:' : undefined
}

/**
 * By its protocol; where there is none, by the agent that https.request() names and http.request() does not, and then by the
 * agent asked. In doubt it is refused.
 */
function isSecure({ protocol, _defaultAgent }: https.RequestOptions, agent: Agent): boolean {
  const byHttps = _defaultAgent !== undefined && (_defaultAgent as unknown) === https.globalAgent
  const { protocol: byAgent } = (_defaultAgent ?? agent) as { protocol?: string }
  const said = protocol ?? (byHttps ? 'https:' : (byAgent ?? 'http:'))
  if (said === 'https:') return true
  if (said === 'http:' && !byHttps) return false
  throw new TypeError('the request does not say whether it is http: or https:: give its protocol')
}

/** Node has filled in the default port of the agent, which may not know the protocol. */
function portOf(options: RequestOptions, agent: Agent): RequestOptions['port'] {
  const { port } = options
  if (Number(port) !== httpPort || agent.defaultPort !== httpPort || !isSecure(options, agent)) return port
  return new URL(options.href ?? 'https://host').port === String(httpPort) ? httpPort : httpsPort
}

function requireAgentOptions(options: AgentOptions & { tls?: unknown; proxyEnv?: unknown }): void {
  requireMakersOptions(options)
  if (options.tls !== undefined)
    throw new TypeError('tls is not for an Agent: give the TLS options beside the others, as to https.Agent')
  if (options.proxyEnv !== undefined)
    throw new TypeError(
      'proxyEnv is not for this Agent, which connects by itself: use https.Agent, or an agent of a proxy',
    )
}
