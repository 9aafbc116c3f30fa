/** What handshakes of probes share: one context for all that share their options, and its mistakes told before any of them. */
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import { faultOfAuthorities } from './pem.js'

const contexts = new WeakMap<ConnectionOptions, SecureContext>()

/** What a context is not made of. */
const others = [
  'servername',
  'host',
  'ALPNProtocols',
  'rejectUnauthorized',
  'checkServerIdentity',
  'session',
  'secureContext',
]

/**
 * Options whose certificates, keys and ciphers cannot be used are the caller's mistake, and told before any target is asked.
 * @throws TypeError that names the option. `where`: what the options are called, such as `tls`.
 */
export function requireUsable(where: string, tls: ConnectionOptions): void {
  const fault = faultOfAuthorities(tls.ca)
  if (fault) throw new TypeError(`${where}.ca ${fault}`)
  const names = Object.keys(tls).filter((name) => !others.includes(name))
  if (names.length === 0) return
  try {
    contextOf(tls)
  } catch (error) {
    throw new TypeError(`${where} cannot be used, of which ${names.join(', ')}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** One for all the probes that share their options: it takes as long as a handshake to make, for it reads every authority. */
export function contextOf(tls: ConnectionOptions): SecureContext {
  const context = tls.secureContext ?? contexts.get(tls) ?? createSecureContext(tls)
  contexts.set(tls, context)
  return context
}
