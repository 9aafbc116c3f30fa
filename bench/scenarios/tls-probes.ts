/** TLS probes beside a loop of node:tls and OpenSSL's own program. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { ConnectionManager } from '../../src/index.js'
import { inFlight } from '../rates.js'
import { type Metrics, ratio, type Scenario, type Settings, Skipped } from '../scenario.js'
import { openTlsServer } from '../setup/tls-server.js'

interface Stage {
  port: number
  certFile: string
  name: string
}

const check = 'check() with TLS'
const bare = 'tls.connect'
const openssl = 'openssl s_time, one in flight'

export const tlsProbes: Scenario<Stage> = {
  name: 'tls-probes',
  about:
    `TLS 1.3 handshakes with a verified certificate against one server, ${inFlight} in flight, each ended by close_notify and FIN.\n` +
    'tls.connect shares one secure context, as a check does. CPU is the contestant’s own process, user and system.',
  rounds: 5,
  columns: [
    { key: 'perSecond', title: 'handshakes', unit: '/s' },
    { key: 'cpu', title: 'CPU a handshake', unit: 'µs', digits: 1 },
  ],
  figures: [
    ratio('TLS: check(), against tls.connect: rate', 'perSecond', check, bare),
    ratio('TLS: check(), against tls.connect: CPU', 'cpu', check, bare),
    ratio('TLS: check(), against openssl s_time: rate', 'perSecond', check, openssl),
  ],
  open: async () => {
    const { close, ...stage } = await openTlsServer()
    return {
      stage,
      close: async () => {
        await close()
        return [`The server is ${stage.name}.`]
      },
    }
  },
  contestants: () => [
    { name: check, run: byCheck },
    { name: bare, run: byNode },
    { name: openssl, spawn: byOpenssl },
  ],
}

const countOf = ({ quick }: Settings) => (quick ? 300 : 10_000)

async function byCheck({ port, certFile }: Stage, settings: Settings): Promise<Metrics> {
  await using manager = new ConnectionManager()
  const tls = { ca: readFileSync(certFile) }
  const all = async (count: number) => {
    const targets = Array.from({ length: count }, () => `127.0.0.1:${port}`)
    for await (const { status, reason } of manager.check(targets, { tls, concurrency: inFlight }))
      if (status !== 'up') throw new Error(reason)
  }
  return await measured(countOf(settings), all)
}

async function byNode({ port, certFile }: Stage, settings: Settings): Promise<Metrics> {
  const { createSecureContext } = await import('node:tls')
  const secureContext = createSecureContext({ ca: readFileSync(certFile) })
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', secureContext }, () => socket.end())
      socket
        .on('error', reject)
        .once('close', () => resolve())
        .resume()
    })
  return measured(countOf(settings), async (count) => {
    let left = count
    const loop = async () => {
      while (left-- > 0) await one()
    }
    await Promise.all(Array.from({ length: inFlight }, loop))
  })
}

async function measured(count: number, all: (count: number) => Promise<void>): Promise<Metrics> {
  await all(Math.min(count, 500))
  const [startedAt, before] = [performance.now(), process.cpuUsage()]
  await all(count)
  const seconds = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(before)
  return { perSecond: count / seconds, cpu: (user + system) / count }
}

const run = promisify(execFile)

/** `times` of the shell tells what its children took. */
async function byOpenssl({ port, certFile }: Stage, { quick }: Settings): Promise<Metrics> {
  const command = `openssl s_time -connect 127.0.0.1:${port} -CAfile '${certFile}' -verify 1 -new -time ${quick ? 1 : 3}; times`
  const { stdout } = await run('sh', ['-c', command]).catch((error) => {
    throw new Skipped(`openssl s_time did not run: ${(error as Error).message.split('\n')[0]}`)
  })
  const [, connections, seconds] = /(\d+) connections in ([\d.]+) real seconds/.exec(stdout) ?? []
  const times = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(stdout)
  if (!connections || !seconds || !times) throw new Skipped('openssl s_time tells no count that is known here')
  const [userM, user, systemM, system] = times.slice(1).map(Number) as [number, number, number, number]
  const cpuSeconds = userM * 60 + user + systemM * 60 + system
  return { perSecond: Number(connections) / Number(seconds), cpu: (cpuSeconds * 1e6) / Number(connections) }
}
