/** Names a second: each is looked up at a real server and its address is connected to; beside bare look-ups by c-ares. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { type Contestant, type Metrics, type OpenStage, ratio, type Scenario, Skipped } from '../scenario.js'
import { openRefusing } from '../setup/servers.js'

interface Stage {
  port: number
  /** Which names the server; undefined where there is none, and why. */
  resolvConf?: string
  lacking?: string
}

const check = 'check() of names'
const a = 'dns.resolve4, 200 at once'
const both = 'dns.resolve4 and resolve6, 200 at once'
const server = '127.0.99.53'

export const lookups: Scenario<Stage> = {
  name: 'lookups',
  about:
    '100,000 names, no two alike, each asked for at dnsmasq on loopback. check() asks for A and AAAA, and then connects to the\n' +
    'address, which refuses. It has at most 200 questions under way: an A and an AAAA of 100 names.',
  rounds: 3,
  columns: [
    { key: 'perSecond', title: 'names', unit: '/s' },
    { key: 'cpuUs', title: 'CPU a name', unit: 'µs', digits: 1 },
  ],
  figures: [
    ratio('names looked up and checked, against bare dns.resolve4', 'perSecond', check, a),
    ratio('names looked up and checked, against the same questions', 'perSecond', check, both),
  ],
  contestants: ({ quick }) => {
    const count = quick ? 2_000 : 100_000
    return [looking(check, 'check', count), looking(a, 'a', count), looking(both, 'both', count)]
  },
  open,
}

const program = fileURLToPath(new URL('../setup/looking-up.js', import.meta.url))

const looking = (name: string, how: string, count: number): Contestant<Stage> => ({
  name,
  async spawn({ port, resolvConf, lacking }): Promise<Metrics> {
    if (!resolvConf) throw new Skipped(lacking!)
    const inside = `mount --bind '${resolvConf}' /etc/resolv.conf && exec "$0" "$@"`
    const args = ['-m', 'sh', '-c', inside, process.execPath, program, how, String(count), String(port)]
    return JSON.parse((await promisify(execFile)('unshare', args)).stdout)
  },
})

async function open(): Promise<OpenStage<Stage>> {
  const refusing = await openRefusing()
  const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-lookups-'))
  const close = async () => {
    await refusing.close()
    rmSync(directory, { recursive: true })
    return []
  }
  const names = process.getuid?.() === 0 ? await openServer() : 'needs root, for port 53 and a resolv.conf of its own'
  if (typeof names === 'string') return { stage: { port: refusing.port, lacking: names }, close }
  const resolvConf = join(directory, 'resolv.conf')
  writeFileSync(resolvConf, `nameserver ${server}\n`)
  return {
    stage: { port: refusing.port, resolvConf },
    async close() {
      names.kill()
      await once(names, 'exit')
      return close()
    },
  }
}

/** dnsmasq, or why there is none. Debian puts it where only root looks. */
async function openServer(): Promise<ChildProcess | string> {
  const options = [
    '--conf-file=/dev/null',
    '--pid-file=',
    '--no-resolv',
    '--no-hosts',
    '--bind-interfaces',
    '--user=root',
  ]
  const own = [
    `--listen-address=${server}`,
    '--cache-size=0',
    '--local=/fleet.test/',
    '--address=/fleet.test/127.6.6.6',
  ]
  const child = spawn('dnsmasq', ['--no-daemon', ...options, ...own], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return new Promise((resolve) => {
    child.once('error', () => resolve('no dnsmasq here (Debian: dnsmasq-base)'))
    child.once('exit', (code) => resolve(`dnsmasq ended with ${code}`))
    child.stderr.setEncoding('utf8').on('data', (said: string) => {
      if (said.includes('started, version')) resolve(child)
    })
  })
}
