/**
 * In TLS 1.3 a client's handshake is over before the server has judged the client's certificate, or missed one: the refusal is an
 * alert that comes a round trip later. Only a server that asked for a certificate can refuse so, and only there is anything waited
 * for: its first word, which is a session ticket with most servers.
 */
import type { TLSSocket } from 'node:tls'
import type { Call } from '../call/call.js'
import { clearTimeout, setImmediate, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { probeError } from './probe-error.js'
import type { TryTime } from './try-time.js'

/** @throws ConnectError where the server refuses; the call's own error once it is cancelled. The socket stays open. */
export async function requireTaken(secured: TLSSocket, call: Call, time: TryTime): Promise<void> {
  if (!asksForCertificate(secured)) return
  let settle = (_error?: Error) => {}
  const judged = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve())
  })
  const taken = () => settle()
  const said = () => {
    if (secured.readableLength > 0) settle()
  }
  const ended = () => settle(Object.assign(new Error('it closed the connection'), { code: 'ECONNRESET' }))
  // What has arrived by then counts: the event loop reads it before it comes to this.
  const timer = setTimeout(() => setImmediate(taken), time.shareOf(limits.lateRefusalMs))
  secured.on('session', taken).on('readable', said).on('end', ended).on('close', ended).on('error', settle)
  try {
    await call.cancellation.race(judged)
  } catch (error) {
    call.cancellation.throwIfRequested()
    throw refusalOf(error as NodeJS.ErrnoException, call)
  } finally {
    clearTimeout(timer)
    secured.off('session', taken).off('readable', said).off('end', ended).off('close', ended).off('error', settle)
  }
}

/** The algorithms for a client's signatures that both sides have: there are none but where the server asks for a certificate. */
const asksForCertificate = (secured: TLSSocket): boolean =>
  secured.getProtocol() === 'TLSv1.3' && secured.getSharedSigalgs().length > 0

function refusalOf(error: NodeJS.ErrnoException, call: Call) {
  const { code = 'EPROTO' } = error
  const detail =
    code === 'ECONNRESET'
      ? 'the other side asked for a certificate of this client’s, and then cut the connection off'
      : undefined
  return probeError(call, { code, syscall: 'tls', phase: 'tls', detail, cause: error })
}
