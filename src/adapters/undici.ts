/** undici's connects through cancelpoint, and the way from a request's signal to the connect that it waits for. */
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { buildConnector, Dispatcher } from 'undici'

import { isObject, kind, settled } from '../core/kinds.js'
import { sharedManager } from '../default-manager.js'
import type { ConnectionManager } from '../manager.js'
import { hintFor, settledOptionsWith, signalKind } from '../options.js'
import type { ConnectOptions } from '../types.js'
import { adapterKinds } from './options.js'
import { type Connecting, WaitingRequests } from './undici-waiting.js'

/** The rest are connect()'s, for each connect; `signal` ends them all. */
export interface ConnectorOptions extends Omit<ConnectOptions, 'tls' | 'allowHalfOpen'> {
  /** The process's shared one by default. */
  manager?: ConnectionManager | undefined
  tls?: ConnectionOptions | undefined
  /** Offers HTTP/2 by ALPN. Give it to the Agent too. */
  allowH2?: boolean | undefined
  /** An AF_UNIX path for every origin. */
  socketPath?: string | undefined
}

export interface Connector extends buildConnector.connector {
  /**
   * For `agent.compose()`: aborts a request that still waits for its connection, which undici alone does not, and with it
   * the connect that nobody else waits for; the request rejects once that is released. undici's `request`, `stream`
   * and `pipeline` pass their signal on. `fetch` does not: give it here too, to a dispatcher composed for that call.
   */
  cancelling(options?: { signal?: AbortSignal | undefined }): Dispatcher.DispatcherComposeInterceptor
}

/**
 * For `new Agent({ connect })`, `Pool` and `Client` of undici 7 and newer. A connect that is cancelled fails its requests.
 * @throws RangeError or TypeError that names the option.
 */
export function connector(options: ConnectorOptions = {}): Connector {
  const { manager, signal: ofAll, tls, allowH2, socketPath, ...defaults } = settledConnectorOptions(options)
  const requests = new WaitingRequests()
  const secured = { ALPNProtocols: allowH2 ? ['http/1.1', 'h2'] : ['http/1.1'], ...tls }

  function connect(wanted: buildConnector.Options, callback: buildConnector.Callback): void {
    connectFor(requests.connecting(ofAll), wanted, callback)
  }

  function connectFor(
    { cancellation, end }: Connecting,
    wanted: buildConnector.Options,
    callback: buildConnector.Callback,
  ) {
    open(wanted, cancellation.signal).then(
      (socket) => {
        end()
        callback(null, socket)
      },
      (error) => {
        // undici would also fail requests that joined the line after this one was cancelled.
        const inNeed = end()
        if (inNeed) connectFor(requests.connecting(ofAll, inNeed), wanted, callback)
        else callback(cancellation.requested ? cancellation.error() : error, null)
      },
    )
  }

  async function open(wanted: buildConnector.Options, signal: AbortSignal): Promise<Socket> {
    const { hostname, protocol, port, localAddress, servername, httpSocket } = wanted
    if (httpSocket)
      throw new TypeError('cancelpoint makes sockets of its own: leave the TLS of a proxied one to undici')
    const secure = protocol === 'https:'
    const target = socketPath
      ? { path: socketPath }
      : { host: hostname, port: Number(port) || (secure ? httpsPort : httpPort) }
    const source = localAddress ? { localAddress } : {}
    const onTop = secure && { ...secured, ...(servername && { servername }), host: hostname }
    const common = { noDelay: true, keepAlive: true, ...defaults, ...source }
    return (manager ?? sharedManager()).connect(target, { ...common, tls: onTop, signal })
  }

  return Object.assign(connect, {
    cancelling(options: { signal?: AbortSignal | undefined } = {}): Dispatcher.DispatcherComposeInterceptor {
      const { signal } = settled('options', options, cancellingKinds, { example: '{ signal }', hint: hintFor })
      const signalOf = (request: { signal?: AbortSignal }) => signal ?? request.signal
      return (dispatch) => (request, handler) =>
        requests.dispatch(dispatch, request, handler, signalOf(request as never))
    },
  })
}

function settledConnectorOptions(options: ConnectorOptions): ConnectorOptions {
  return settledOptionsWith(options, connectorKinds, ['allowHalfOpen'])
}

const connectorKinds = {
  ...adapterKinds,
  tls: kind('an object as tls.connect takes it, for the https: origins', isObject),
  allowH2: kind('true or false', (value) => typeof value === 'boolean'),
  socketPath: kind('a path', (value) => typeof value === 'string'),
}
const cancellingKinds = { signal: signalKind }

const httpPort = 80
const httpsPort = 443
