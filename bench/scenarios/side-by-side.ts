/** The same fleet checked by cancelpoint and by what people use: verdicts, time, CPU and memory, and what becomes of them in need. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Peers, serve } from '../peers.js'
import { type Contestant, type Figure, type Metrics, type Scenario, type Settings, Skipped } from '../scenario.js'
import { selfSignedInto } from '../setup/certificate.js'
import { type Kind, type Said, type Stage, serves, type Target, type Tool, tools, writerInto } from '../setup/tools.js'

/** What the tool has to do with. */
interface Need {
  name: string
  /** Before the command: `ulimit -n 64`, say. */
  shell?: string
  /** Busy loops beside it, for each core. */
  hogs?: number
  /** It is stopped (SIGSTOP) for so long, soon after its start. */
  stopMs?: number
}

const needs: readonly Need[] = [
  { name: '' },
  { name: ', 64 descriptors', shell: 'ulimit -n 64 && ' },
  { name: ', CPU starved', hogs: 4 },
  { name: ', stopped for 3 s', stopMs: 3_000 },
]

const share: Readonly<Record<Kind, number>> = {
  up: 0.6,
  refused: 0.15,
  hanging: 0.05,
  name: 0.05,
  tls: 0.1,
  banner: 0.05,
}
const fleetServer = fileURLToPath(new URL('../setup/mixed-fleet.js', import.meta.url))

export const sideBySide: Scenario<Stage> = {
  name: 'side-by-side',
  about:
    'One fleet, checked by each tool with a limit of 2 s: 60 % up, 15 % refuse, 5 % hang, 5 % are names with a dead address\n' +
    'and a living one, 10 % speak TLS, 5 % have a wrong banner. False downs: targets that serve and are called down. False ups:\n' +
    'the other way. Not told: targets of which the tool says nothing, or that it does not know.',
  rounds: 3,
  columns: [
    { key: 'seconds', title: 'time', unit: 's', digits: 1 },
    { key: 'cpu', title: 'CPU', unit: 's', digits: 2 },
    { key: 'rss', title: 'memory', unit: 'MiB' },
    { key: 'falseDowns', title: 'false downs', unit: '' },
    { key: 'falseUps', title: 'false ups', unit: '' },
    { key: 'notTold', title: 'not told', unit: '' },
  ],
  figures: needs.map(falseDownsIn),
  open: openFleet,
  contestants: () => needs.flatMap((need) => tools.map((tool) => contestant(tool, need))),
}

function falseDownsIn({ name }: Need): Figure {
  const mine = `cancelpoint check${name}`
  return { says: `false downs of ${mine}`, unit: '', atMost: 0, of: (value) => value(mine, 'falseDowns') }
}

async function openFleet({ quick }: Settings) {
  const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-side-by-side-'))
  selfSignedInto(directory)
  interface Up {
    ports: Record<Kind, number>
    addresses: string[]
  }
  const { up, stop } = await serve<Up, object>(process.execPath, [fleetServer, directory])
  const total = quick ? 200 : 2_000
  const targets = (Object.keys(share) as Kind[]).flatMap((kind, at): Target[] =>
    Array.from({ length: Math.round(total * share[kind]) }, (_, i) => ({
      kind,
      host: kind === 'name' ? `n${i}.fleet.test` : `127.${10 + at}.${i >> 8}.${1 + ((i & 255) % 250)}`,
      port: up.ports[kind],
    })),
  )
  const names = targets.filter(({ kind }) => kind === 'name').map(({ host }) => host)
  const hosts = up.addresses.flatMap((address) => names.map((name) => `${address} ${name}`))
  const hostsFile = join(directory, 'hosts')
  writeFileSync(hostsFile, `127.0.0.1 localhost\n${hosts.join('\n')}\n`)
  return {
    stage: { directory, hostsFile, certFile: join(directory, 'cert.pem'), targets },
    close: async () => {
      await stop()
      rmSync(directory, { recursive: true })
      return [`The fleet has ${targets.length.toLocaleString('en')} targets.`]
    },
  }
}

function contestant(tool: Tool, need: Need): Contestant<Stage> {
  return {
    name: `${tool.name}${need.name}`,
    spawn: (stage, _, peers) => {
      if (!tool.program) throw new Skipped(`not installed: ${tool.needs}`)
      return measure(tool, need, stage, peers)
    },
  }
}

async function measure(tool: Tool, need: Need, stage: Stage, peers: Peers): Promise<Metrics> {
  const usage = join(stage.directory, 'usage.json')
  const command = tool.command(stage, writerInto(stage.directory))
  // In a mount namespace of its own, whose hosts file has the fleet's names.
  const namespace = process.getuid?.() === 0 ? '-m' : '-rm'
  const inside = `mount --bind '${stage.hostsFile}' /etc/hosts && ${need.shell ?? ''}exec "$0" "$@"`
  const args = [usage, 'unshare', namespace, 'sh', '-c', inside, ...command]
  const child = spawn(await peers.path('rusage'), args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text) => {
      said[name] += text
    })
  const ended = once(child, 'close')
  const hogs = startHogs(need.hogs ?? 0)
  try {
    const stopping = need.stopMs === undefined ? undefined : stopFor(child, need.stopMs)
    const answers = tool.ask ? await askAll(tool, stage, child) : undefined
    await stopping
    await ended
    const counts = answers ?? tool.read(said.stdout, said.stderr, stage)
    const { seconds, cpuSeconds, maxRssKib } = JSON.parse(readFileSync(usage, 'utf8'))
    return { seconds, cpu: cpuSeconds, rss: maxRssKib / 1_024, ...judged(counts, stage) }
  } finally {
    for (const hog of hogs) hog.kill('SIGKILL')
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL')
  }
}

function judged(said: Said, { targets }: Stage): Metrics {
  const totals = { falseDowns: 0, falseUps: 0, notTold: 0 }
  for (const kind of Object.keys(serves) as Kind[]) {
    const total = targets.filter((target) => target.kind === kind).length
    const { up, told } = said.get(kind) ?? { up: 0, told: 0 }
    if (serves[kind]) totals.falseDowns += told - up
    else totals.falseUps += up
    totals.notTold += Math.max(0, total - told)
  }
  return totals
}

const startHogs = (perCore: number): ChildProcess[] =>
  Array.from({ length: perCore * availableParallelism() }, () =>
    spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  )

async function stopFor(child: ChildProcess, ms: number): Promise<void> {
  await wait(400)
  if (child.exitCode !== null) return
  process.kill(-child.pid!, 'SIGSTOP')
  await wait(ms)
  process.kill(-child.pid!, 'SIGCONT')
}

const questionsAtOnce = 64

/** Asks the server of each target, and then ends it. */
async function askAll(tool: Tool, { targets }: Stage, child: ChildProcess): Promise<Said> {
  const said: Said = new Map()
  const left = [...targets]
  const loop = async () => {
    for (let target = left.pop(); target; target = left.pop()) {
      const { url, isUp } = tool.ask!(target)
      const body = await answerTo(url)
      if (body === undefined) continue
      const { up, told } = said.get(target.kind) ?? { up: 0, told: 0 }
      said.set(target.kind, { up: up + Number(isUp(body)), told: told + 1 })
    }
  }
  await Promise.all(Array.from({ length: questionsAtOnce }, loop))
  process.kill(-child.pid!, 'SIGTERM')
  return said
}

/** It may not listen yet. */
async function answerTo(url: string): Promise<string | undefined> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(20_000) })
      return response.ok ? await response.text() : undefined
    } catch {
      await wait(100)
    }
  }
  return undefined
}
