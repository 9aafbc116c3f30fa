/** What is wrong with certificates and keys in PEM, before anything is done with them: OpenSSL passes over what it does not know. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { show } from '../core/invalid-target.js'

const certificates = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----.*?-----END \1-----/gs
const keyBegins = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/

/** As a part of a sentence whose subject is the text; undefined where it is one certificate or more. */
export function faultOfCertificates(text: string): string | undefined {
  const begun = text.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g)?.length ?? 0
  if (begun === 0) return `${insteadOf(text)}: expected a certificate in PEM`
  const blocks = [...text.matchAll(certificates)]
  if (blocks.length < begun) return 'has a certificate that is cut off: expected -----END CERTIFICATE----- after it'
  const broken = blocks.findIndex(([block, kind]) => kind === 'CERTIFICATE' && !isReadable(block))
  if (broken < 0) return undefined
  return `has a certificate that cannot be read${blocks.length > 1 ? `, number ${broken + 1}` : ''}: make the file anew`
}

/** The same of one private key. */
export function faultOfKey(text: string): string | undefined {
  if (!keyBegins.test(text)) return `${insteadOf(text)}: expected a private key in PEM`
  if (/-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED/.test(text))
    return 'has a private key that is encrypted: expected one without a passphrase, as openssl pkey writes it'
  try {
    createPrivateKey(text)
    return undefined
  } catch {
    return 'has a private key that cannot be read: make the file anew'
  }
}

/** Whether the key is that of the first certificate. Both are without fault. */
export const belongs = (key: string, cert: string): boolean =>
  new X509Certificate(cert.slice(cert.search(certificates))).checkPrivateKey(createPrivateKey(key))

/** Options of tls.connect: what `ca` is. */
export function faultOfAuthorities(ca: unknown): string | undefined {
  if (ca === undefined || ca === null) return undefined
  const given = Array.isArray(ca) ? ca : [ca]
  if (given.length === 0) return 'is empty: expected a certificate in PEM'
  for (const each of given) {
    const isText = typeof each === 'string' || ArrayBuffer.isView(each)
    // Of anything else node:tls says what it is.
    const fault = isText ? faultOfCertificates(textOf(each)) : undefined
    if (fault) return fault
  }
  return undefined
}

const textOf = (given: string | ArrayBufferView): string =>
  typeof given === 'string' ? given : Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('latin1')

function insteadOf(text: string): string {
  if (text.trim() === '') return 'is empty'
  if (keyBegins.test(text)) return 'has a private key and no certificate in it'
  if (text.includes('-----BEGIN CERTIFICATE-----')) return 'has a certificate and no private key in it'
  const [, kind] = /-----BEGIN ([^-\r\n]{1,60})-----/.exec(text) ?? []
  if (kind !== undefined) return `has ${show(kind)} in it`
  return isDer(text) ? 'is in DER' : 'has nothing of PEM in it'
}

/** A sequence that is as long as it says. */
function isDer(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  const short = bytes[1] ?? 0
  const more = short & 0x7f
  if (bytes[0] !== 0x30 || more === 0 || (short > 0x7f && (more > 4 || bytes.length < 2 + more))) return false
  return bytes.length === (short > 0x7f ? 2 + more + bytes.readUIntBE(2, more) : 2 + short)
}

function isReadable(block: string): boolean {
  try {
    new X509Certificate(block)
    return true
  } catch {
    return false
  }
}
