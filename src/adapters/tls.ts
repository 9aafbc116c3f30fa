/** TLS on a socket that may still be connecting, as adapters need it. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

import { clearTimeout, setTimeout } from '../core/clock.js'
import { deadlineError } from '../errors/connect-error.js'
import { destroyBy } from './net.js'

/** What a socket says while it connects. Node passes 'connect' on by itself. */
const events = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'ready']

interface Limits {
  timeoutMs: number | undefined
  signal: AbortSignal | undefined
}

/**
 * Has `secured`, which is TLS on top of `socket`, say what it would say had it connected by itself, and bounds connect and
 * handshake by `timeoutMs`. The connect's own part of that is its call's. `signal` destroys it, later as well.
 */
export function onTop<Secured extends Socket>(
  socket: Socket,
  secured: Secured,
  { timeoutMs, signal }: Limits,
): Secured {
  if (signal) destroyBy(signal, secured)
  for (const event of events) socket.on(event, (...given) => secured.emit(event, ...given))
  if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return secured
  const timer = setTimeout(() => {
    if (!socket.connecting) secured.destroy(lateError(timeoutMs, secured))
  }, timeoutMs)
  const stop = () => clearTimeout(timer)
  secured.once('secureConnect', stop).once('close', stop)
  return secured
}

/** A connect, or the handshake that follows it, took longer than it may. */
export function lateError(timeoutMs: number, socket: Socket): Error {
  const { servername } = socket as Partial<TLSSocket> & { servername?: string | false }
  return deadlineError(timeoutMs, {
    phase: socket.connecting ? 'connect' : 'tls',
    waitedMs: 0,
    attempts: [],
    ...(servername && { hostname: servername }),
  })
}
