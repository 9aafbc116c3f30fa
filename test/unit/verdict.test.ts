import { describe, expect, it } from 'vitest'
import type { ErrnoClass } from '../../src/core/errno.js'
import { type Failed, type Phase, speaker, type Verdict, verdictOfAll, verdictOn } from '../../src/core/verdict.js'

describe('a verdict', () => {
  it.each<[Failed, ErrnoClass, Verdict['status'], Phase]>([
    [{ code: 'ECONNREFUSED', syscall: 'connect' }, 'refused', 'down', 'connect'],
    [{ code: 'ETIMEDOUT', syscall: 'connect' }, 'timed-out', 'down', 'connect'],
    [{ code: 'ENOTFOUND', syscall: 'queryA' }, 'name', 'down', 'name'],
    [{ code: 'EAI_AGAIN', syscall: 'queryA' }, 'name', 'unknown', 'name'],
    [{ code: 'CERT_HAS_EXPIRED', syscall: 'tls' }, 'protocol', 'down', 'tls'],
    [{ code: 'ECONNRESET', syscall: 'tls' }, 'refused', 'down', 'tls'],
    [{ code: 'EMFILE', syscall: 'socket' }, 'local', 'unknown', 'connect'],
    [{ code: 'EADDRNOTAVAIL', syscall: 'connect' }, 'local', 'unknown', 'connect'],
    [{ code: 'EADDRNOTAVAIL', syscall: 'bind', localFixed: true }, 'misuse', 'unknown', 'connect'],
    [{ code: 'EADDRNOTAVAIL', syscall: 'connect', familyDisabled: true }, 'unreachable', 'unknown', 'connect'],
    [{ code: 'ERR_BLOCKED', syscall: 'connect' }, 'denied', 'unknown', 'connect'],
    [{ code: 'EACCES', syscall: 'connect' }, 'denied', 'down', 'connect'],
    // Preparations of this machine's own say nothing of the target.
    [{ code: 'EACCES', syscall: 'bind' }, 'denied', 'unknown', 'connect'],
    [{ code: 'EPERM', syscall: 'socket' }, 'denied', 'unknown', 'connect'],
    // An errno means what the call that said it means by it.
    [{ code: 'ENOPROTOOPT', syscall: 'connect' }, 'refused', 'down', 'connect'],
    [{ code: 'ENOPROTOOPT', syscall: 'setsockopt' }, 'misuse', 'unknown', 'connect'],
    [{ code: 'EAFNOSUPPORT', syscall: 'socket' }, 'unreachable', 'unknown', 'connect'],
    [{ code: 'EAFNOSUPPORT', syscall: 'bind' }, 'misuse', 'unknown', 'connect'],
    [{ code: 'EAGAIN', syscall: 'connect', family: 'unix' }, 'busy', 'down', 'connect'],
    [{ code: 'EAGAIN', syscall: 'pthread_create', family: 'unix' }, 'local', 'unknown', 'connect'],
    [{ code: 'ENOENT', syscall: 'connect', family: 'unix' }, 'refused', 'down', 'connect'],
    [{ code: 'ENOENT', syscall: 'epoll_ctl', family: 'unix' }, 'unknown', 'unknown', 'connect'],
  ])('on %j is %s: %s, in the phase %s', (failed, errnoClass, status, phase) => {
    expect(verdictOn(failed)).toMatchObject({ errnoClass, status, phase })
  })

  it('says what the call that failed means by its errno', () => {
    const { means, remedy } = verdictOn({ code: 'ENOPROTOOPT', syscall: 'connect' })
    expect([means, remedy]).toEqual([
      'The host answered that it does not speak that protocol.',
      'Check the address, and what answers for it: it sent ICMP protocol unreachable.',
    ])
    expect(verdictOn({ code: 'EACCES', syscall: 'bind' }).means).toBe('That source port takes a privilege.')
    expect(verdictOn({ code: 'ERRNO_524', syscall: 'connect' })).toMatchObject({
      means: 'It failed with ERRNO_524.',
      remedy: undefined,
    })
  })
})

describe('of several addresses', () => {
  const refused = verdictOn({ code: 'ECONNREFUSED', syscall: 'connect' })
  const timedOut = verdictOn({ code: 'ETIMEDOUT', syscall: 'connect' })
  const ipv6Off = verdictOn({ code: 'EADDRNOTAVAIL', syscall: 'connect', familyDisabled: true })
  const blocked = verdictOn({ code: 'ERR_BLOCKED', syscall: 'connect' })
  const noDescriptors = verdictOn({ code: 'EMFILE', syscall: 'socket' })
  const blackhole = verdictOn({ code: 'EINVAL', syscall: 'connect' })
  const familyUnknown = verdictOn({ code: 'EAI_AGAIN', syscall: 'queryAaaa' })

  it.each<[string, Verdict[], Verdict]>([
    ['all down: the strongest word', [timedOut, refused], refused],
    ['one of a family that is switched off has no say beside others', [ipv6Off, refused], refused],
    ['nor has one that the block list bars', [blocked, timedOut], timedOut],
    ['alone it says that it was not asked', [ipv6Off], ipv6Off],
    ['one that was not tried may be up', [refused, noDescriptors], noDescriptors],
    ['whatever the reason', [refused, blackhole], blackhole],
    ['also where only a family could not be asked for', [refused, familyUnknown], familyUnknown],
  ])('%s', (_, verdicts, expected) => {
    expect(verdictOfAll(verdicts)).toBe(expected)
    expect(verdictOfAll([...verdicts].reverse())).toBe(expected)
  })

  it('class and status never contradict each other', () => {
    const all = [refused, timedOut, ipv6Off, blocked, noDescriptors, blackhole, familyUnknown]
    for (const a of all) for (const b of all) expect(all).toContain(verdictOfAll([a, b]))
  })
})

describe('the error that speaks for a call', () => {
  const failure = (errnoClass: ErrnoClass, code = 'CODE') => ({ errnoClass, code })

  it.each<[ErrnoClass[], ErrnoClass]>([
    [['unreachable', 'refused'], 'refused'],
    [['refused', 'unreachable'], 'refused'],
    [['refused', 'local'], 'local'],
    [['timed-out', 'misuse'], 'timed-out'],
    [['misuse', 'denied'], 'denied'],
  ])('of %j it is %s', (classes, expected) => {
    expect(speaker(classes.map((each) => failure(each)))?.errnoClass).toBe(expected)
  })

  it('is the last of equals, and nobody of none', () => {
    expect(speaker([failure('refused', 'A'), failure('refused', 'B')])?.code).toBe('B')
    expect(speaker([])).toBeUndefined()
  })
})
