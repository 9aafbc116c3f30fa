/** undici's connects through cancelpoint, and the way from a request's signal to the connect that it waits for. */
import { isIP, type Socket } from 'node:net'
import tls from 'node:tls'
import type { buildConnector, Dispatcher } from 'undici'

import { clearTimeout, setTimeout } from '../core/clock.js'
import { withoutDot } from '../core/hostname.js'
import { isObject, kind, requireKinds, settled, wholeNumber } from '../core/kinds.js'
import { hintFor } from '../options.js'
import { openSocket } from './net.js'
import { type NetOptions, type OwnOptions, timeoutMsOf } from './net-options.js'
import { requireMakersOptions } from './options.js'
import { lateError, onTop } from './tls.js'
import { type Connecting, eventOrSignalKind, type Signal, WaitingRequests } from './undici-waiting.js'

/**
 * undici's own options for `connect`, with net.connect's and tls.connect's among them, and cancelpoint's beside them.
 * `signal` destroys every socket of the connector, later ones too.
 */
export interface ConnectorOptions
  extends OwnOptions,
    Omit<tls.ConnectionOptions, keyof OwnOptions | 'signal' | 'timeout'> {
  signal?: AbortSignal | undefined
  /** Connect and TLS handshake together. Milliseconds, undici's default 10,000 unless `timeoutMs` is given; 0 is no limit. */
  timeout?: number | undefined
  family?: number | undefined
  localAddress?: string | undefined
  autoSelectFamily?: boolean | undefined
  autoSelectFamilyAttemptTimeout?: number | undefined
  keepAlive?: boolean | undefined
  allowHalfOpen?: boolean | undefined
  /** Milliseconds, default 60,000. */
  keepAliveInitialDelay?: number | undefined
  /** TLS options, beside those that stand among the others. */
  tls?: tls.ConnectionOptions | undefined
  /** Offers HTTP/2 by ALPN. Give it to the Agent too. Default false. */
  allowH2?: boolean | undefined
  /** An AF_UNIX path for every origin. */
  socketPath?: string | undefined
  /** TLS sessions kept for reuse, at most. Default 100; 0 keeps none. */
  maxCachedSessions?: number | undefined
}

export interface Connector extends buildConnector.connector {
  /**
   * For `agent.compose()`: aborts a request that still waits for its connection, which undici alone does not, and with it
   * the connect that nobody else waits for; the request rejects once that is released. undici's `request`, `stream`
   * and `pipeline` pass their signal on. `fetch` does not: give it here too, to a dispatcher composed for that call.
   * A request's own signal and this one both count.
   */
  cancelling(options?: { signal?: Signal | undefined }): Dispatcher.DispatcherComposeInterceptor
}

/**
 * For `new Agent({ connect })`, `Pool` and `Client` of undici 7 and newer. A connect that is cancelled fails its requests.
 * @throws RangeError or TypeError that names the option.
 */
export function connector(options: ConnectorOptions = {}): Connector {
  requireConnectorOptions(options)
  const { tls: secureOptions, allowH2, socketPath, maxCachedSessions = 100, timeout, ...given } = options
  const limitMs = timeout ?? (timeoutMsOf(options) === undefined ? undiciTimeoutMs : 0)
  const common = { keepAlive: true, keepAliveInitialDelay: 60_000, ...given, noDelay: true }
  const secured = { ALPNProtocols: allowH2 ? ['http/1.1', 'h2'] : ['http/1.1'], ...given, ...secureOptions }
  const sessions = new Sessions(maxCachedSessions)
  const requests = new WaitingRequests()

  function connect(wanted: buildConnector.Options, callback: buildConnector.Callback): void {
    connectFor(requests.connecting(given.signal), wanted, callback)
  }

  function connectFor(
    { cancellation, end }: Connecting,
    wanted: buildConnector.Options,
    done: buildConnector.Callback,
  ) {
    const settle = (error: Error | null, socket?: Socket) => {
      stop()
      // undici would also fail requests that joined the line after this one was cancelled.
      const inNeed = end()
      if (!error) done(null, socket!)
      else if (inNeed) connectFor(requests.connecting(given.signal, inNeed), wanted, done)
      else done(cancellation.requested ? cancellation.error() : error, null)
    }
    let stop = () => {}
    try {
      const socket = open(wanted)
      settleOnce(socket, wanted.protocol === 'https:' ? 'secureConnect' : 'connect', limitMs, settle)
      stop = cancellation.onRequest(() => socket.destroy(cancellation.error()))
    } catch (error) {
      settle(error as Error)
    }
  }

  function open({ hostname, protocol, port, localAddress, servername, httpSocket }: buildConnector.Options): Socket {
    const secure = protocol === 'https:'
    const place = socketPath ? { path: socketPath } : { host: hostname, port: Number(port) || (secure ? 443 : 80) }
    const source = localAddress ? { localAddress } : {}
    if (!secure) return openSocket({ highWaterMark: 65_536, ...common, ...source, ...place } as NetOptions)
    const socket = httpSocket ?? openSocket({ ...common, signal: undefined, ...source, ...place } as NetOptions)
    try {
      const name = withoutDot(servername || secured.servername || hostname)
      const session = secured.session ?? sessions.get(name)
      const names = { host: withoutDot(hostname), servername: isIP(name) ? '' : name, session }
      const over = tls.connect({
        highWaterMark: 16_384,
        ...secured,
        ...names,
        signal: undefined,
        socket,
      } as tls.ConnectionOptions)
      over.on('session', (fresh) => sessions.set(name, fresh))
      return onTop(socket, over, { timeoutMs: timeoutMsOf(options), signal: given.signal })
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  return Object.assign(connect, {
    cancelling(options: { signal?: Signal | undefined } = {}): Dispatcher.DispatcherComposeInterceptor {
      const { signal } = settled('options', options, cancellingKinds, { example: '{ signal }', hint: hintFor })
      return (dispatch) => (request, handler) => {
        const own = (request as { signal?: Signal }).signal
        return requests.dispatch(dispatch, request, handler, [own, signal])
      }
    },
  })
}

/** Tells once how the connect ended; of a failed one when its socket is closed, and everything released. */
function settleOnce(
  socket: Socket,
  success: 'connect' | 'secureConnect',
  limitMs: number,
  settle: (error: Error | null, socket?: Socket) => void,
): void {
  let failure: Error | undefined
  const failed = (error: Error) => {
    failure ??= error
  }
  const timer = limitMs > 0 && setTimeout(() => socket.destroy(lateError(limitMs, socket)), limitMs)
  const end = () => {
    clearTimeout(timer || undefined)
    socket.off(success, connected).off('close', closed)
  }
  const connected = () => {
    end()
    socket.off('error', failed)
    settle(null, socket)
  }
  const closed = () => {
    end()
    settle(failure ?? Object.assign(new Error('the peer closed the connection'), { code: 'ECONNRESET' }))
  }
  socket.on('error', failed).once(success, connected).once('close', closed)
}

/** By server name, the newest at the end. */
class Sessions {
  readonly #most: number
  readonly #byName = new Map<string, Buffer>()

  constructor(most: number) {
    this.#most = most
  }

  get(name: string): Buffer | undefined {
    return this.#byName.get(name)
  }

  set(name: string, session: Buffer): void {
    if (this.#most === 0) return
    this.#byName.delete(name)
    if (this.#byName.size >= this.#most) this.#byName.delete(this.#byName.keys().next().value!)
    this.#byName.set(name, session)
  }
}

function requireConnectorOptions(options: ConnectorOptions): void {
  requireMakersOptions(options, undicisNames)
  requireKinds(options, connectorKinds)
}

const connectorKinds = {
  tls: kind('an object as tls.connect takes it, for the https: origins', isObject),
  allowH2: kind('true or false', (value) => typeof value === 'boolean'),
  socketPath: kind('a path', (value) => typeof value === 'string'),
  maxCachedSessions: wholeNumber(0, Number.MAX_SAFE_INTEGER),
}
const undicisNames = [...Object.keys(connectorKinds), 'useH2c', 'session', 'servername']
const cancellingKinds = { signal: eventOrSignalKind }
const undiciTimeoutMs = 10_000
