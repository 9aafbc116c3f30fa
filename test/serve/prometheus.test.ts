/** A real Prometheus with the configuration of docs/watch.md, and that page's tables beside what is served. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AllowList } from '#internal/core/allow-list'
import { probeFamilies } from '#internal/core/probe-metrics'
import { processFamilies } from '#internal/serve/process-metrics'
import { targetFamilies, totalFamilies } from '#internal/serve/watch-metrics'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { serving, steadyHeld } from './serving.js'

const page = readFileSync(fileURLToPath(new URL('../../docs/watch.md', import.meta.url)), 'utf8')
const [config, rules] = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, text]) => text!)
const has = (program: string) => spawnSync(program, ['--version']).status === 0

const stations = useStations()
let manager: ConnectionManager
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-prometheus-'))
beforeAll(async () => {
  manager = await warmManager(stations.accept, { engine: 'nonblocking' })
})
afterAll(async () => {
  await manager.close()
  rmSync(directory, { recursive: true })
})

it('docs/watch.md knows every metric and its type, and no others', () => {
  const served = [...probeFamilies, ...processFamilies, ...targetFamilies, ...totalFamilies].map(
    ({ name, type }) => `${name}${type === 'counter' ? '_total' : ''} ${type}`,
  )
  const told = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| (gauge|counter|summary) \|/gm)].flatMap(
    ([, names, type]) => [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => `${name} ${type}`),
  )
  expect(told.sort()).toEqual([...new Set(served)].sort())
})

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

it.skipIf(!has('promtool'))('promtool takes the rules of docs/watch.md (Debian package prometheus)', () => {
  const file = join(directory, 'rules.yml')
  writeFileSync(file, rules!)
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  expect([status, stderr, stdout]).toEqual([0, '', expect.stringContaining('3 rules found')])
})

it.skipIf(!has('prometheus'))(
  'Prometheus scrapes /metrics and /probe with the configuration of docs/watch.md (Debian package prometheus)',
  { timeout: 60_000 },
  async () => {
    const before = await steadyHeld()
    const web = http.createServer((_, response) => response.end('x'))
    await once(web.listen(0, '127.0.0.1'), 'listening')
    const webPort = (web.address() as AddressInfo).port
    const labels = { env: 'prod', instance: 'mine', 'a.b': '"\\\n' }
    const at = await serving(manager, [stations.accept, { target: stations.refuse, labels }], {
      watch: { intervalMs: 200 },
      probeAllow: new AllowList(['127.0.0.0/8']),
    })
    const text = config!
      .replaceAll('127.0.0.1:9464', `127.0.0.1:${at.port}`)
      .replace('127.0.0.1:8080', `127.0.0.1:${webPort}`)
      .replace('scrape_interval: 15s', 'scrape_interval: 1s\n  scrape_timeout: 1s')
    const file = join(directory, 'prometheus.yml')
    writeFileSync(file, text)
    const port = await freePort()
    const options = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${directory}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]
    const prometheus = spawn('prometheus', options, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    prometheus.stderr.on('data', (part) => {
      said += part
    })
    const valuesOf = async (query: string) => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`
      const text = await new Promise<string>((resolve) => {
        const request = http.get(url, { agent: false }, async (response) => {
          let body = ''
          for await (const part of response.setEncoding('utf8')) body += part
          resolve(body)
        })
        request.on('error', () => resolve('{}'))
      })
      return JSON.parse(text).data?.result.map(({ metric, value }: never) => [metric, (value as string[])[1]]) ?? []
    }
    try {
      const patience = { timeout: 40_000, interval: 200 }
      await expect.poll(() => valuesOf('up == 1'), patience).toHaveLength(2)
      const down = 'cancelpoint_target_state{job="cancelpoint",state="down"} == 1'
      await expect
        .poll(() => valuesOf(down), patience)
        .toEqual([
          [
            expect.objectContaining({
              target: stations.refuse,
              env: 'prod',
              instance: `127.0.0.1:${at.port}`,
              exported_instance: 'mine',
              a_b: '"\\\\u000a',
            }),
            '1',
          ],
        ])
      await expect
        .poll(() => valuesOf('probe_success{job="cancelpoint-probe"}'), patience)
        .toEqual([[expect.objectContaining({ instance: `127.0.0.1:${webPort}` }), '1']])
      await expect.poll(() => valuesOf('rate(cancelpoint_checks_total{status="up"}[1m]) > 0'), patience).toHaveLength(1)
      expect(said).not.toMatch(/level=error/)
    } finally {
      prometheus.kill('SIGTERM')
      await once(prometheus, 'exit')
      await at[Symbol.asyncDispose]()
      web.closeAllConnections()
      web.close()
    }
    await expect.poll(held).toEqual(before)
  },
)
