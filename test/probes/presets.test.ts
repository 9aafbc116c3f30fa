/** Each preset against the real server, and against what is not it. */
import type { CheckOptions, CheckResult, ConnectionManager, ProbeStep } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { presetSteps } from '#internal/check/presets/index'
import { type PresetName, presetNames, type StarttlsName } from '#internal/check/presets/names'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { because, lackingServer, type Server, type ServerName, useServer } from '../support/servers.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const { key, cert } = selfSigned()
const files = { 'key.pem': key, 'cert.pem': cert }
const servers: Record<ServerName, Server> = {
  postgres: useServer('postgres', files),
  mariadb: useServer('mariadb', files),
  redis: useServer('redis'),
  nginx: useServer('nginx', files),
  exim: useServer('exim', files),
  sshd: useServer('sshd'),
}
const serverOf = {
  http: 'nginx',
  redis: 'redis',
  smtp: 'exim',
  postgres: 'postgres',
  mysql: 'mariadb',
  ssh: 'sshd',
} as const

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept)
})
afterAll(() => manager.close())

async function checked(server: ServerName, options: CheckOptions): Promise<CheckResult> {
  const before = held()
  const results: CheckResult[] = []
  const target = `localhost:${servers[server].port}`
  for await (const result of manager.check([target], { timeoutMs: 10_000, family: 4, ...options })) results.push(result)
  expect(results).toHaveLength(1)
  await expect.poll(held).toEqual(before)
  return results[0]!
}

const https = { tls: { ca: cert } }
const optionsFor = (probe: PresetName): CheckOptions => ({
  steps: presetSteps({ probe }),
  ...(probe === 'http' && https),
})

describe.each(presetNames)('--probe %s', (probe) => {
  const server = serverOf[probe]
  const lacking = lackingServer(server)

  it.skipIf(lacking)(`is up at ${server}${because(lacking)}`, async () => {
    const result = await checked(server, optionsFor(probe))
    expect(result).toMatchObject({ status: 'up', stepsMs: expect.any(Number) })
    expect(result).not.toHaveProperty('step')
  })

  const others = presetNames.filter((each) => each !== probe && each !== 'http')
  const present = others.filter((other) => !lackingServer(serverOf[other]))
  it.each(present)('is down, and says why, at the server of %s', async (other) => {
    const steps = presetSteps({ probe })
    const result = await checked(serverOf[other], { steps, timeoutMs: 700 })
    expect(result).toMatchObject({
      status: 'down',
      phase: 'expect',
      step: expect.any(Number),
      reason: expect.any(String),
    })
    expect(['ERR_EXPECT', 'ETIMEDOUT', 'ECONNRESET']).toContain(result.code)
  })
})

describe.each<[StarttlsName, ServerName]>([
  ['smtp', 'exim'],
  ['postgres', 'postgres'],
  ['mysql', 'mariadb'],
])('--starttls %s', (starttls, server) => {
  const lacking = lackingServer(server)
  const steps = (more: object = {}): readonly ProbeStep[] => presetSteps({ starttls, tls: { ca: cert }, ...more })

  it.skipIf(lacking)(`is up at ${server}, with its certificate${because(lacking)}`, async () => {
    const result = await checked(server, { steps: steps() })
    const certificate = { subject: 'CN=localhost', issuer: 'CN=localhost', daysLeft: 1 }
    expect(result).toMatchObject({ status: 'up', certificate, tlsMs: expect.any(Number), stepsMs: expect.any(Number) })
  })

  it.skipIf(lacking)(`goes on with the probe${because(lacking)}`, async () => {
    expect(await checked(server, { steps: steps({ probe: starttls }) })).toMatchObject({ status: 'up' })
  })

  it.skipIf(lacking)(`is down where the certificate is not trusted, or ends too soon${because(lacking)}`, async () => {
    const untrusted = await checked(server, { steps: presetSteps({ starttls }) })
    expect(untrusted).toMatchObject({ status: 'down', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', phase: 'tls' })
    expect(untrusted.step).toBe(steps().length - 1)
    const expiring = await checked(server, { steps: steps(), minCertificateDays: 30 })
    expect(expiring).toMatchObject({ status: 'down', code: 'ERR_CERT_EXPIRING', errnoClass: 'protocol', phase: 'tls' })
    expect(expiring.reason).toMatch(
      /^The certificate has 1 day left, until 20\d\d-\d\d-\d\d: at least 30 are expected\.$/,
    )
  })
})
