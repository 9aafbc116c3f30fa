/** TLS of a probe: the peer's certificate is told whatever comes of it, and whether it lasts long enough. */
import type { Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, type TLSSocket } from 'node:tls'
import { closeSocket } from '../bridge/descriptor.js'
import type { Call } from '../call/call.js'
import { secure } from '../call/tls.js'
import { protocolsOf } from '../core/alpn.js'
import { epochMs } from '../core/clock.js'
import { advise } from '../core/errno.js'
import { printable } from '../core/text.js'
import type { ConnectError } from '../errors/connect-error.js'
import type { CertificateRecord } from '../types.js'
import { requireTaken } from './late-refusal.js'
import { probeError } from './probe-error.js'
import { contextOf } from './tls-context.js'
import type { TryTime } from './try-time.js'

export interface SecureOptions {
  /** The same object for all that share it. */
  tls: ConnectionOptions
  /** Days that the certificate has to have left. */
  minDays?: number | undefined
  time: TryTime
  /** Told as soon as the peer's certificate is known. */
  told(certificate: CertificateRecord): void
}

/**
 * The handshake, and then what node:tls would have checked by itself, which closes the connection before anybody could look at
 * the certificate. Nothing of ours has been sent by then.
 */
export async function secureProbe(
  socket: Socket,
  call: Call,
  { tls, minDays, time, told }: SecureOptions,
): Promise<TLSSocket> {
  let identityError: Error | undefined
  const asked = protocolsOf(tls.ALPNProtocols)
  const names = 'names' in asked ? asked.names : []
  const options: ConnectionOptions = {
    ...tls,
    secureContext: contextOf(tls),
    rejectUnauthorized: false,
    checkServerIdentity(hostname, certificate) {
      identityError = (tls.checkServerIdentity ?? checkServerIdentity)(hostname, certificate)
      return identityError
    },
  }
  const secured = await secure(socket, call, options, (secured) => {
    const certificate = certificateOf(secured)
    if (certificate) told(certificate)
    if (tls.rejectUnauthorized !== false && !secured.authorized) throw identityError ?? openSslError(secured)
    if (minDays !== undefined && certificate && certificate.daysLeft < minDays)
      throw expiring(certificate, minDays, call)
    if (names.length > 0 && !secured.alpnProtocol) throw noProtocol(names, call)
  })
  // Whoever uses it next finds its error.
  secured.on('error', () => {})
  try {
    await requireTaken(secured, call, time)
    return secured
  } catch (error) {
    await closeSocket(secured)
    throw error
  }
}

/** Node keeps only the code of what OpenSSL found. */
function openSslError({ authorizationError }: TLSSocket): Error {
  const code = String(authorizationError)
  return Object.assign(new Error(code), { code })
}

const dayMs = 86_400_000

/** Undefined where the peer showed none: a cipher without one, or a session that was taken up again. */
function certificateOf(secured: TLSSocket): CertificateRecord | undefined {
  const certificate = secured.getPeerX509Certificate()
  if (!certificate) return undefined
  const { subject, issuer, validTo, fingerprint256 } = certificate
  const until = Date.parse(validTo)
  return {
    subject: inOneLine(subject),
    issuer: inOneLine(issuer),
    validTo: until,
    daysLeft: Math.floor((until - epochMs()) / dayMs),
    fingerprint256,
  }
}

/** Node has one attribute a line, and escapes what a value has in it. The common name comes last there, and first here. */
const inOneLine = (name: string | undefined): string => (name ?? '').split('\n').reverse().join(', ')

function expiring({ daysLeft, validTo }: CertificateRecord, minDays: number, call: Call): ConnectError {
  const until = new Date(validTo).toISOString().slice(0, 10)
  const left = daysLeft === 1 ? '1 day' : `${daysLeft} days`
  const means =
    daysLeft < 0
      ? `The certificate ended on ${until}: at least ${minDays} days are expected.`
      : `The certificate has ${left} left, until ${until}: at least ${minDays} are expected.`
  return refusal('ERR_CERT_EXPIRING', means, call)
}

/** A server that knows no ALPN passes over it: then nobody knows what it would speak. */
function noProtocol(names: readonly string[], call: Call): ConnectError {
  const asked = printable(names.join(', '))
  return refusal('ERR_ALPN', `The other side agreed to none of the protocols that ALPN asks for: ${asked}.`, call)
}

function refusal(code: string, means: string, call: Call): ConnectError {
  const { remedy } = advise(code, 'protocol')!
  return probeError(call, { code, syscall: 'tls', phase: 'tls', advice: { means, remedy } })
}
