import { describe, expect, it } from 'vitest'
import { adviseTls } from '../../src/core/advice.js'
import { classOf } from '../../src/core/errno.js'

describe('what TLS says', () => {
  it.each<[RegExp, string]>([
    [/self-signed/, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [/not trusted here/, 'SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
    [/not trusted here/, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE INVALID_CA CERT_UNTRUSTED'],
    [/has expired/, 'CERT_HAS_EXPIRED'],
    [/not valid yet/, 'CERT_NOT_YET_VALID'],
    [/revoked/, 'CERT_REVOKED'],
    [/another name/, 'ERR_TLS_CERT_ALTNAME_INVALID HOSTNAME_MISMATCH'],
    [/is not TLS/, 'ERR_SSL_WRONG_VERSION_NUMBER ERR_SSL_PACKET_LENGTH_TOO_LONG ERR_SSL_HTTP_REQUEST'],
    [/no version of TLS/, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION ERR_SSL_UNSUPPORTED_PROTOCOL'],
    [/broke .* off/, 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'],
    [/handshake failed/, 'ERR_SSL_DH_KEY_TOO_SMALL ERR_TLS_HANDSHAKE_TIMEOUT'],
    [/is not valid\./, 'CERT_SIGNATURE_FAILURE CRL_HAS_EXPIRED UNABLE_TO_GET_CRL INVALID_PURPOSE PATH_LENGTH_EXCEEDED'],
    [/is not valid\./, 'ERROR_IN_CERT_NOT_BEFORE_FIELD'],
  ])('%s: %s', (means, list) => {
    for (const code of list.split(' ')) {
      const advice = adviseTls(code)!
      expect([code, advice.means]).toEqual([code, expect.stringMatching(means)])
      expect(advice.remedy).toMatch(/^[A-Z].*[^.]\.$/)
      expect(classOf(code)).toBe('protocol')
    }
  })

  it('is nothing of other codes', () => {
    for (const code of ['ECONNRESET', 'EPROTO', 'ERR_BLOCKED', 'ERRNO_524', '']) expect(adviseTls(code)).toBeUndefined()
  })
})
