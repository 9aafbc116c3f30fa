import { describe, expect, it } from 'vitest'
import { advise, classes, classOf, codes, type ErrnoClass, type ErrnoContext } from '../../src/core/errno.js'

describe('classify', () => {
  it.each<[ErrnoClass, string]>([
    ['pending', 'EINPROGRESS EALREADY EINTR'],
    ['refused', 'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ENOENT'],
    ['timed-out', 'ETIMEDOUT'],
    ['unreachable', 'ENETUNREACH EHOSTUNREACH EHOSTDOWN ENETDOWN ENONET'],
    ['local', 'EADDRNOTAVAIL EMFILE ENFILE ENOBUFS ENOMEM ENOSPC EAGAIN EWOULDBLOCK ERR_WORKER_ENDED ERR_POOL_FAILED'],
    ['denied', 'EACCES EPERM ERR_BLOCKED'],
    ['name', 'ENOTFOUND EAI_AGAIN EAI_NONAME EAI_FAIL ESERVFAIL ENODATA ETIMEOUT EREFUSED EBADNAME EBADRESP'],
    ['protocol', 'ERR_EXPECT ERR_STARTTLS ERR_CERT_EXPIRING ERR_ALPN'],
    ['protocol', 'EPROTO ERR_TLS_CERT_ALTNAME_INVALID ERR_TLS_HANDSHAKE_TIMEOUT ERR_SSL_WRONG_VERSION_NUMBER'],
    ['protocol', 'CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN INVALID_CA HOSTNAME_MISMATCH'],
    ['protocol', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY CRL_HAS_EXPIRED'],
    ['misuse', 'EADDRINUSE EBADF ENOTSOCK EAFNOSUPPORT EISCONN EINVAL EFAULT EPROTOTYPE ENAMETOOLONG'],
    ['misuse', 'ENOTDIR ELOOP EOPNOTSUPP ENOTSUP ENOPROTOOPT ENOTCONN EDESTADDRREQ EPROTONOSUPPORT ESOCKTNOSUPPORT'],
    ['misuse', 'ERR_INVALID_TARGET ERR_MANAGER_CLOSED'],
    ['unknown', 'ERR_CHECK ABORT_ERR'],
    ['unknown', 'EWHATEVER ERRNO_524 INVALID_CASE CERTAINLY ERR_TLSX toString __proto__'],
  ])('%s: %s', (errnoClass, list) => {
    for (const code of list.split(' ')) expect([code, classOf(code)]).toEqual([code, errnoClass])
  })

  it.each<[string, ErrnoContext, ErrnoClass]>([
    ['EAGAIN', { family: 'unix' }, 'busy'],
    ['EWOULDBLOCK', { family: 'unix' }, 'busy'],
    ['EAGAIN', { family: 'inet' }, 'local'],
    ['EAGAIN', { family: 'inet6', localFixed: true }, 'local'],
    ['ENOENT', { family: 'unix' }, 'refused'],
    ['ENOENT', { family: 'inet' }, 'unknown'],
    ['ENOENT', { family: 'inet6' }, 'unknown'],
    ['EADDRNOTAVAIL', { localFixed: false }, 'local'],
    ['EADDRNOTAVAIL', { localFixed: true }, 'misuse'],
    ['EADDRNOTAVAIL', { family: 'inet6', familyDisabled: true }, 'unreachable'],
    ['EADDRNOTAVAIL', { localFixed: true, familyDisabled: true }, 'misuse'],
    ['EADDRINUSE', { localFixed: true }, 'misuse'],
    ['ECONNREFUSED', { family: 'unix', localFixed: true, familyDisabled: true }, 'refused'],
  ])('%s with %j is %s', (code, context, expected) => {
    expect(classOf(code, context)).toBe(expected)
  })
})

describe('the table', () => {
  it('says what each code means and what to do, in a sentence each', () => {
    for (const [code, { errnoClass }] of codes) expect([code, classOf(code)]).toEqual([code, errnoClass])
    for (const { means, remedy } of [...codes.values(), advise('EAI_FAIL', 'name')!]) {
      for (const text of [means, remedy]) expect(text).toMatch(/^[A-Z][^.]*(\.\w[^.]*|\.conf[^.]*|\.ipv4\.[^.]*)*\.$/)
    }
  })

  it('has a class for every code, and says what the supervisor does about each', () => {
    for (const { errnoClass } of codes.values()) expect(classes[errnoClass]).toBeDefined()
    for (const { says, supervisor } of Object.values(classes)) expect([says, supervisor]).not.toContain('')
  })

  it.each<[string, ErrnoClass, RegExp]>([
    ['EAGAIN', 'local', /ran out/],
    ['EAGAIN', 'busy', /queue of waiting connections/],
    ['EADDRNOTAVAIL', 'local', /No local port/],
    ['EADDRNOTAVAIL', 'misuse', /source address/],
    ['EADDRNOTAVAIL', 'unreachable', /no address of the kind/],
    ['ECONNREFUSED', 'unknown', /Nothing listens/],
    ['ESERVFAIL', 'name', /resolver/],
    ['CERT_HAS_EXPIRED', 'protocol', /certificate has expired/],
  ])('%s as %s', (code, errnoClass, means) => {
    expect(advise(code, errnoClass)?.means).toMatch(means)
  })

  it('has nothing to say about other codes', () => {
    expect(advise('EWHATEVER', 'unknown')).toBeUndefined()
  })
})
