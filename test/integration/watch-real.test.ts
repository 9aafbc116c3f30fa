/** nginx, Redis, PostgreSQL and memcached, stopped, paused and cut off: what a watch sees, beside HAProxy's own checks. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const programs = [
  '/usr/sbin/nginx',
  '/usr/bin/redis-server',
  '/usr/bin/memcached',
  '/usr/sbin/haproxy',
  '/usr/sbin/nft',
]
const missing = [...programs, '/usr/lib/postgresql'].find((path) => !existsSync(path))
const lacking =
  process.getuid?.() === 0 ? missing && `no ${missing} here` : 'it takes root to start servers in a namespace'
/** Where all has to be there, as in CI, it is not skipped but fails. */
const skipped = process.env.CI ? undefined : lacking

const services = ['memcached', 'nginx', 'postgres', 'redis']
/** As the fixture has them. Milliseconds. */
const [intervalMs, jitter, fall, timeoutMs] = [500, 0.03, 3, 400]
/** Of a machine that does other things too. */
const slackMs = 1_000

interface Seen {
  changes: { by: 'watch' | 'haproxy'; service: string; to: string; at: number; step: string }[]
  steps: [name: string, at: number][]
}

const afterwards: Readonly<Record<string, 'up' | 'down'>> = {
  stopped: 'down',
  started: 'up',
  paused: 'down',
  continued: 'up',
  'cut off': 'down',
  'let through': 'up',
}

it.skipIf(skipped)(
  `each change is seen once, none is invented, and none later than HAProxy sees it by more than an interval${skipped ? `: ${skipped}` : ''}`,
  async () => {
    const fixture = fileURLToPath(new URL('./fixtures/watch-real.mjs', import.meta.url))
    const { stdout } = await promisify(execFile)('unshare', ['-n', process.execPath, fixture], { timeout: 150_000 })
    const { changes, steps } = JSON.parse(stdout) as Seen
    expect(steps.map(([name]) => name)).toEqual(Object.keys(afterwards))
    for (const [step, to] of Object.entries(afterwards)) {
      for (const by of ['watch', 'haproxy'] as const) {
        const seen = changes.filter((change) => change.step === step && change.by === by)
        expect(seen.map(({ service }) => service).sort(), `${by}, ${step}`).toEqual(services)
        expect(
          seen.every((change) => change.to === to),
          `${by}, ${step}`,
        ).toBe(true)
      }
      for (const service of services) {
        const [ours, theirs] = (['watch', 'haproxy'] as const).map(
          (by) => changes.find((change) => change.step === step && change.service === service && change.by === by)!.at,
        ) as [number, number]
        const within = intervalMs * (1 + jitter) + slackMs
        expect(ours - theirs, `${service}, ${step}`).toBeLessThanOrEqual(within)
        // HAProxy counts its interval from the end of a check that timed out, and so it is later by that much for each.
        const timeouts = step === 'stopped' || step === 'started' ? 0 : fall * timeoutMs
        expect(theirs - ours, `${service}, ${step}`).toBeLessThanOrEqual(within + timeouts)
      }
    }
  },
  180_000,
)
