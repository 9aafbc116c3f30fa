/** What codes mean and what a person can do; and the table for TLS: OpenSSL's words on certificates and handshakes, by Node's codes. */

/** What one code means, and what a person can do: a sentence each. */
export interface Advice {
  means: string
  remedy: string
  /** What the supervisor does about it, where that is not what its class says. */
  supervisor?: string | undefined
}

type Row = [codes: RegExp, means: string, remedy: string]

/** The first that fits. */
// biome-ignore format: a table reads by rows
const rows: readonly Row[] = [
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, 'The certificate is self-signed, and none of those trusted here.', 'Pass it as tls.ca, or have an authority sign one.'],
  [/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)|INVALID_CA$|CERT_UNTRUSTED$)/, 'The certificate is signed by an authority that is not trusted here.', 'Pass the authority’s certificate as tls.ca, and check that the server sends the whole chain.'],
  [/^CERT_HAS_EXPIRED$/, 'The certificate has expired.', 'Renew it, and check this machine’s clock.'],
  [/^CERT_NOT_YET_VALID$/, 'The certificate is not valid yet.', 'Check its dates and this machine’s clock.'],
  [/^CERT_REVOKED$/, 'The certificate was revoked.', 'Give the server a new one.'],
  [/^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/, 'The certificate is for another name.', 'Connect to one of its names, which the cause lists, or give one as tls.servername.'],
  [/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTPS?_\w+|UNKNOWN_PROTOCOL|UNEXPECTED_MESSAGE)$/, 'What the other side said is not TLS.', 'Check that the port is the right service’s, and that it speaks TLS.'],
  [/^ERR_SSL_(.*ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE)$/, 'The two sides have no version of TLS in common.', 'Allow one that the server has, by tls.minVersion and tls.maxVersion.'],
  [/^ERR_SSL_.*ALERT_CERTIFICATE_REQUIRED$/, 'The other side wants a certificate of this client’s, and was given none.', 'Give one by tls.cert and tls.key.'],
  [/^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN)|UNKNOWN_CA)$/, 'The other side does not take this client’s certificate, or misses one.', 'Check tls.cert and tls.key, and which authorities the service trusts.'],
  [/^ERR_SSL_.*ALERT/, 'The other side broke the TLS handshake off.', 'Look in the service’s log; it may want another name, cipher or a certificate of yours.'],
  [/^ERR_(O?SSL|TLS)_/, 'The TLS handshake failed.', 'Look at the cause for what OpenSSL says of it.'],
  [/^(CERT|CRL|UNABLE_TO|ERROR_IN)_|^(INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/, 'The certificate is not valid.', 'Look at the cause for what OpenSSL says of it.'],
]

/** What a code of TLS means, and what to do; undefined for any other. */
export function adviseTls(code: string): Advice | undefined {
  const row = rows.find(([codes]) => codes.test(code))
  return row && { means: row[1], remedy: row[2] }
}
