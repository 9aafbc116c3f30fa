/** Targets for the stage: some that look like those of a real fleet, and any number of others. */
import type { Shown } from './stage.js'

const now = Date.now()
const minute = 60_000

/** Connect times about `ms`, the same every time. */
export const times = (ms: number, length = 60): number[] =>
  Array.from(
    { length },
    (_, i) => Math.round(ms * (1 + 0.35 * Math.sin(i * 1.7) + (i % 17 === 5 ? 1.4 : 0)) * 100) / 100,
  )

export function upTarget(target: string, labels: Record<string, string>, ms = 1.2, more: Partial<Shown> = {}): Shown {
  return {
    target,
    labels,
    state: 'up',
    since: now - 190 * minute,
    inARow: 60,
    skipped: 0,
    last: {
      target,
      status: 'up',
      connectMs: ms,
      attempts: 1,
      startedAt: now - 4_000,
      address: '127.0.0.1',
      port: 5432,
    },
    history: { results: 'u'.repeat(60), connectMs: times(ms) },
    ...more,
  }
}

const certificate = (daysLeft: number) => ({
  subject: 'CN=shop.example, O=Example',
  issuer: 'CN=Example CA',
  validTo: now + daysLeft * 86_400_000,
  daysLeft,
  fingerprint256: Array.from({ length: 32 }, (_, i) => (i * 7 + 16).toString(16).padStart(2, '0').toUpperCase()).join(
    ':',
  ),
})

export function fleet(): Shown[] {
  const prod = (job: string) => ({ env: 'prod', job })
  const staging = (job: string) => ({ env: 'staging', job })
  const { connectMs: _, ...up } = upTarget('x:1', {}).last!
  const some: Shown[] = [
    {
      ...upTarget('db-2.internal:5432', prod('postgres')),
      state: 'down',
      since: now - 7 * minute,
      inARow: 42,
      last: {
        ...up,
        target: 'db-2.internal:5432',
        status: 'down',
        code: 'ECONNREFUSED',
        errnoClass: 'refused',
        phase: 'connect',
        reason: 'Nothing listens there.',
        attempts: 1,
      },
      remedy: 'Start the service or check the port.',
      history: { results: 'u'.repeat(18) + 'd'.repeat(42), connectMs: [...times(1.1, 18), ...Array(42).fill(null)] },
    },
    {
      ...upTarget('shop.example:443', prod('web')),
      state: 'down',
      since: now - 55 * minute,
      inARow: 60,
      last: {
        ...up,
        target: 'shop.example:443',
        status: 'down',
        code: 'ERR_CERT_EXPIRING',
        errnoClass: 'protocol',
        phase: 'tls',
        reason: 'The certificate has 5 days left, and 14 are asked for.',
        connectMs: 12.4,
        tlsMs: 31.8,
        nameMs: 3.1,
        certificate: certificate(5),
      },
      remedy: 'Renew it, and check this machine’s clock.',
      history: { results: 'd'.repeat(60), connectMs: times(12) },
    },
    {
      ...upTarget('mail.internal:25', prod('smtp')),
      state: 'unknown',
      since: now - 40_000,
      inARow: 0,
      skipped: 3,
      last: {
        ...up,
        target: 'mail.internal:25',
        status: 'unknown',
        code: 'EAI_AGAIN',
        errnoClass: 'name',
        phase: 'name',
        reason: 'The name servers could not say what its address is.',
      },
      remedy: 'Check /etc/resolv.conf and that its servers are up.',
      history: {
        results: `${'u'.repeat(50)}d${'u'.repeat(5)}????`,
        connectMs: [...times(2, 50), null, ...times(2, 5), null, null, null, null],
      },
    },
    upTarget('www.example:443', prod('web'), 9.4, {
      last: { ...up, target: 'www.example:443', connectMs: 9.4, tlsMs: 22, certificate: certificate(21) },
    }),
    upTarget('[2001:db8::17]:8443', staging('web'), 140),
    upTarget('unix:/run/app/app.sock', staging('app'), 0.08),
  ]
  const rest = Array.from({ length: 34 }, (_, i) => {
    const job = ['postgres', 'redis', 'web', 'app'][i % 4]!
    return upTarget(
      `${job}-${(i >> 2) + 1}.internal:${5000 + i}`,
      i % 3 === 0 ? staging(job) : prod(job),
      0.4 + (i % 7),
    )
  })
  return [...some, ...rest]
}

export const crowd = (size: number): Shown[] =>
  Array.from({ length: size }, (_, i) => {
    const labels = { env: i % 5 === 0 ? 'staging' : 'prod', rack: `r${String(i % 40).padStart(2, '0')}` }
    const target = upTarget(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:443`, labels, 1 + (i % 30) / 10)
    if (i % 100 !== 0) return target
    const last = {
      ...target.last!,
      status: 'down' as const,
      code: 'ETIMEDOUT',
      errnoClass: 'timed-out' as const,
      reason: 'Nobody answered in time.',
    }
    return {
      ...target,
      state: 'down',
      last,
      remedy: 'Check that the host is up and that no firewall drops the packets.',
    }
  })
