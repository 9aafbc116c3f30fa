import { constants } from 'node:os'
import { inspect } from 'node:util'
import { ConnectError, classify, errnos } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import type { ErrnoClass } from '#internal/core/errno'
import type { Phase } from '#internal/core/verdict'
import { abortError, lateAbortError, managerClosedError } from '#internal/errors/abort-error'
import { deadlineError, unresolvedError } from '#internal/errors/connect-error'
import { codeOf, errnoOf } from '#internal/errors/errnos'

describe('numbers', () => {
  it.each<[string, number]>([
    ['ECONNREFUSED', -111],
    ['EINPROGRESS', -115],
    ['EHOSTDOWN', -112],
    ['EAGAIN', -11],
    ['ENOTSUP', -95],
    ['EAI_AGAIN', -3001],
    ['ERRNO_524', -524],
  ])('%s is %i', (code, errno) => {
    expect(errnoOf(code)).toBe(errno)
    expect([codeOf(errno), codeOf(-errno)]).toEqual([code, code])
    expect([classify(errno), classify(-errno)]).toEqual([classify(code), classify(code)])
  })

  it('have none for what is no errno', () => {
    for (const code of ['ENOTFOUND', 'ERR_BLOCKED', '', '111', 'ERRNO_']) expect(errnoOf(code)).toBe(0)
  })

  it('take the context that tells meanings apart', () => {
    expect(classify(constants.errno.EAGAIN, { family: 'unix' })).toBe('busy')
    expect(classify(-constants.errno.EADDRNOTAVAIL, { localFixed: true })).toBe('misuse')
  })

  it('are those of the platform, for every errno that connect documents', () => {
    for (const code of Object.keys(constants.errno)) expect(errnoOf(code)).toBe(-Reflect.get(constants.errno, code))
    const documented =
      'EBADF ENOTSOCK EADDRNOTAVAIL EAFNOSUPPORT EISCONN ETIMEDOUT ECONNREFUSED ENETUNREACH EADDRINUSE EINPROGRESS EALREADY'
    const beyond = 'EHOSTUNREACH EACCES EPERM ENOENT EPROTOTYPE EINVAL EAGAIN EINTR EMFILE ECONNRESET'
    for (const code of `${documented} ${beyond}`.split(' ')) {
      expect(errnos.get(code)).toMatchObject({ errno: errnoOf(code), errnoClass: classify(code) })
    }
    for (const { errno } of errnos.values()) expect(errno).toBeLessThan(0)
  })
})

describe('ConnectError', () => {
  const inet = { family: 'inet', address: '127.0.0.1', port: 9 } as const

  it.each<[ConstructorParameters<typeof ConnectError>[0], string]>([
    [
      { code: 'ECONNREFUSED', syscall: 'connect', endpoint: inet, errnoClass: 'refused' },
      'connect ECONNREFUSED 127.0.0.1:9: nothing listens there; start the service or check the port',
    ],
    [
      { code: 'ENOENT', syscall: 'connect', endpoint: { family: 'unix', path: '/run/a' }, errnoClass: 'refused' },
      'connect ENOENT /run/a: no socket file has that path; start the service or correct the path',
    ],
    [
      { code: 'EAGAIN', syscall: 'connect', endpoint: { family: 'unix', path: '\0a' }, errnoClass: 'busy' },
      'connect EAGAIN @a: the listener’s queue of waiting connections is full; let the service accept faster or give it a longer backlog',
    ],
    [
      { code: 'ETIMEDOUT', syscall: 'connect', errnoClass: 'timed-out', detail: 'not connected within 5 ms' },
      'connect ETIMEDOUT: not connected within 5 ms',
    ],
    [
      { code: 'CERT_HAS_EXPIRED', syscall: 'tls', endpoint: inet, errnoClass: 'protocol' },
      'tls CERT_HAS_EXPIRED 127.0.0.1:9: the certificate has expired; renew it, and check this machine’s clock',
    ],
    [
      { code: 'ERRNO_524', syscall: 'connect', endpoint: inet, errnoClass: 'unknown' },
      'connect ERRNO_524 127.0.0.1:9: no word on whose fault it is',
    ],
  ])('%j', (options, message) => {
    const error = new ConnectError(options)
    expect(error.message).toBe(message)
    expect(error.stack).toMatch(`ConnectError: ${message}`)
    expect(error.errno).toBe(errnoOf(options.code))
  })

  it.each<[Partial<ConstructorParameters<typeof ConnectError>[0]>, string]>([
    [{ code: 'ECONNREFUSED' }, 'Nothing listens there.'],
    [{ code: 'CERT_HAS_EXPIRED' }, 'The certificate has expired.'],
    [{ code: 'ETIMEDOUT', detail: 'not connected within 5 ms' }, 'Not connected within 5 ms.'],
    [{ code: 'EPROTO', detail: 'Not today!' }, 'Not today!'],
    [{ code: 'EINVAL', advice: { means: 'This.', remedy: 'Do that.' } }, 'This.'],
    [{ code: 'ERRNO_524' }, 'It failed with ERRNO_524.'],
  ])('%j means one sentence', (options, meaning) => {
    const error = new ConnectError({ syscall: 'connect', errnoClass: 'unknown', code: '', ...options })
    expect(ConnectError.verdictOf(error).means).toBe(meaning)
  })

  it('carries what is known, and has no property for what is not', () => {
    const attempts = [{ endpoint: '127.0.0.1:9', engine: 'blocking', startedAt: 1, durationMs: 2 }] as const
    const cause = new Error('why')
    const errors = [new ConnectError({ code: 'ECONNREFUSED', syscall: 'connect', errnoClass: 'refused' })]
    const full = new ConnectError({
      code: 'ETIMEDOUT',
      errno: -1,
      syscall: 'connect',
      endpoint: inet,
      errnoClass: 'timed-out',
      attempts: [...attempts],
      errors,
      timedOutBy: 'kernel',
      cause,
    })
    expect(full).toMatchObject({
      errno: -1,
      address: '127.0.0.1',
      port: 9,
      attempts,
      errors,
      timedOutBy: 'kernel',
      cause,
    })
    const bare = new ConnectError({ code: 'EBADF', syscall: 'connect', errnoClass: 'misuse' })
    expect(Object.keys(bare).sort()).toEqual(['attempts', 'code', 'errno', 'errnoClass', 'syscall'])
    expect(inspect(bare)).toContain("code: 'EBADF'")
  })

  it('names the name that came to no address', () => {
    const error = unresolvedError('ENOTFOUND', 'queryA', 'no.test')
    expect(error).toMatchObject({
      code: 'ENOTFOUND',
      errno: 0,
      syscall: 'queryA',
      hostname: 'no.test',
      errnoClass: 'name',
    })
    expect(error.message).toBe('queryA ENOTFOUND no.test: no such name; check its spelling and its DNS records')
    expect(error.address).toBeUndefined()
  })
})

describe('abortError', () => {
  it('looks as Node’s own does', () => {
    const reason = new Error('why')
    const error = abortError(reason)
    expect(error).toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      message: 'The operation was aborted',
      cause: reason,
    })
    expect(String(error)).toBe('AbortError: The operation was aborted')
    expect(error.stack).toContain('errors.test')
  })

  it('collects no stack for a call in progress, and leaves the setting as it was', () => {
    const { stackTraceLimit } = Error
    const error = lateAbortError('why')
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'why' })
    expect(error.stack).toBe('AbortError: The operation was aborted')
    expect(Error.stackTraceLimit).toBe(stackTraceLimit)
  })
})

describe('deadlineError', () => {
  it.each<[ErrnoClass, Phase, number, string]>([
    [
      'timed-out',
      'connect',
      0,
      'connect ETIMEDOUT slow.test: not connected within 1000 ms; check that the host is up and that no firewall drops the packets',
    ],
    [
      'timed-out',
      'tls',
      0,
      'tls ETIMEDOUT slow.test: the TLS handshake did not end within 1000 ms; check that the port speaks TLS, and that the service keeps up',
    ],
    [
      'name',
      'name',
      0,
      'connect ETIMEDOUT slow.test: not connected within 1000 ms: its name was still being looked up; check /etc/resolv.conf and that its servers are up',
    ],
    [
      'local',
      'connect',
      900,
      'connect ETIMEDOUT slow.test: not connected within 1000 ms, of which 900 ms were spent waiting for this machine; lower the concurrency, or look at what keeps this process busy',
    ],
    // Descriptors, say, of which there was none for the query.
    [
      'local',
      'name',
      900,
      'connect ETIMEDOUT slow.test: not connected within 1000 ms, of which 900 ms were spent waiting for this machine; lower the concurrency, or look at what keeps this process busy',
    ],
  ])('says whose fault it is: %s, in the phase %s', (errnoClass, phase, waitedMs, message) => {
    const error = deadlineError(1_000, { phase, waitedMs, attempts: [], hostname: 'slow.test' })
    expect(error).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline', errnoClass, message })
    expect(ConnectError.verdictOf(error).phase).toBe(phase)
  })
})

describe('managerClosedError', () => {
  it('says what to do', () => {
    expect(managerClosedError()).toMatchObject({ code: 'ERR_MANAGER_CLOSED', message: /closed: make a new/ })
  })
})
