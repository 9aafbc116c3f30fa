/** TLS on top of a connected socket. */
import type { Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { closeSocket } from '../bridge/descriptor.js'
import { withoutDot } from '../core/hostname.js'
import { ConnectError } from '../errors/connect-error.js'
import { classify } from '../errors/errnos.js'
import type { Call } from './call.js'
import type { Cancellation } from './cancellation.js'

/**
 * TLS on top of a connected socket. Cancelled or failed, both are closed before the promise settles. `tls`: as in the options.
 * `accept` looks at what the handshake came to, and throws where it will not do.
 */
export async function secure(
  socket: Socket,
  call: Call,
  tls = call.settings.tls,
  accept: (secured: TLSSocket) => void = () => {},
): Promise<TLSSocket> {
  const handshakeEnds = call.startsHandshake()
  let secured: TLSSocket | undefined
  try {
    secured = tlsConnect({ ...optionsFor(call, tls), socket })
    await handshake(secured, call.cancellation)
    accept(secured)
    handshakeEnds()
    return secured
  } catch (error) {
    await Promise.all([secured && closeSocket(secured), closeSocket(socket)])
    // node:tls refused its options before the handshake began.
    if (!secured) throw error
    call.cancellation.throwIfRequested()
    throw error instanceof ConnectError ? error : tlsError(error as NodeJS.ErrnoException, call)
  }
}

function optionsFor({ target, hostname }: Call, tls: boolean | ConnectionOptions | undefined): ConnectionOptions {
  const options: ConnectionOptions = typeof tls === 'object' ? { ...tls } : {}
  if (hostname !== undefined) options.servername ??= hostname
  else if (target.kind === 'endpoint' && target.endpoint.family !== 'unix') options.host ??= target.endpoint.address
  for (const name of ['servername', 'host'] as const) options[name] &&= withoutDot(options[name])
  return options
}

function handshake(secured: TLSSocket, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    let stop: (() => void) | undefined
    const failed = (error: Error) => settle(error)
    const ended = () => settle(Object.assign(new Error('the peer closed the connection'), { code: 'ECONNRESET' }))
    const done = () => settle()
    function settle(error?: Error) {
      stop?.()
      secured.off('secureConnect', done).off('close', ended)
      if (error) reject(error)
      else {
        secured.off('error', failed)
        resolve()
      }
    }
    secured.once('secureConnect', done).once('close', ended).on('error', failed)
    // Settles at once where the call was cancelled before.
    stop = cancellation.onRequest(() => settle(new Error('cancelled')))
  })
}

function tlsError(error: NodeJS.ErrnoException, call: Call): ConnectError {
  const { code = 'EPROTO' } = error
  const { attempts, endpoint, hostname } = call
  const known = classify(code, { call: 'tls' })
  return new ConnectError({
    code,
    syscall: 'tls',
    endpoint,
    hostname,
    errnoClass: known === 'unknown' ? 'protocol' : known,
    attempts,
    // Of the caller's own checkServerIdentity, say.
    detail: known === 'unknown' || !error.code ? error.message : undefined,
    cause: error,
  })
}
