/** Connects a second: the blocking engine's three public ways, Node's own, and bare C. */
import { ConnectionManager } from '../../src/index.js'
import { runPeer } from '../peers.js'
import { type Contestant, type Metrics, ratio, type Scenario, type Settings, Skipped } from '../scenario.js'
import { type Accepting, asNodeTarget, nodeConnect, openAcceptingStage, targetsOf } from './accepting.js'
import { targetCount } from './targets.js'

const inFlight = 256
const netConnect = 'net.connect'

export const connectRate: Scenario<Accepting> = {
  name: 'connect-rate',
  about:
    `Connect and close by a reset, ${inFlight} in flight, over ${targetCount.toLocaleString('en')} loopback addresses or the targets named; the\n` +
    "C loops have one in flight a thread. CPU is the contestant's own process, user and system.",
  rounds: 7,
  columns: [
    { key: 'perSecond', title: 'connects', unit: '/s' },
    { key: 'cpuUs', title: 'CPU a connect', unit: 'µs', digits: 1 },
  ],
  figures: [
    ratio('check() batches against net.connect', 'perSecond', 'check()', netConnect, 2),
    ratio('open() against net.connect', 'perSecond', 'open()', netConnect),
    ratio('connect() against net.connect', 'perSecond', 'connect()', netConnect),
    ratio('check() batches against C, 1 thread', 'perSecond', 'check()', 'C, 1 thread'),
    ratio('check() batches against C, 2 threads', 'perSecond', 'check()', 'C, 2 threads'),
  ],
  takesTargets: true,
  open: openAcceptingStage,
  contestants: () => [
    { name: 'check()', run: rateOf(check) },
    { name: 'open()', run: rateOf(calls(async (manager, target) => (await manager.open(target)).close())) },
    {
      name: 'connect()',
      run: rateOf(calls(async (manager, target) => void (await manager.connect(target)).resetAndDestroy())),
    },
    { name: netConnect, run: rateOf(node) },
    peer('C, 1 thread', 1),
    peer('C, 2 threads', 2),
  ],
}

/** Connects over and over until `over`, and counts what is done. */
type Loop = (targets: readonly string[], clock: Clock) => Promise<void>

interface Clock {
  over: boolean
  done: number
}

const durations = ({ quick }: Settings) => (quick ? { warmUpMs: 200, ms: 200 } : { warmUpMs: 500, ms: 1_500 })

function rateOf(loop: Loop): Contestant<Accepting>['run'] {
  return async (stage, settings) => {
    const { warmUpMs, ms } = durations(settings)
    const clock: Clock = { over: false, done: 0 }
    const running = loop(targetsOf(stage, settings), clock)
    const measured = (async (): Promise<Metrics> => {
      await after(warmUpMs)
      const [done, startedAt, cpu] = [clock.done, performance.now(), process.cpuUsage()]
      await after(ms)
      const count = clock.done - done
      const { user, system } = process.cpuUsage(cpu)
      const seconds = (performance.now() - startedAt) / 1000
      clock.over = true
      if (count === 0) throw new Error(`nothing connected within ${ms} ms`)
      return { perSecond: count / seconds, cpuUs: (user + system) / count }
    })()
    await running
    return measured
  }
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The targets in turn, until it is over. */
function* turns<T>(targets: readonly T[], clock: Clock): Generator<T> {
  for (let at = 0; !clock.over; at = (at + 1) % targets.length) yield targets[at]!
}

async function check(targets: readonly string[], clock: Clock): Promise<void> {
  await using manager = new ConnectionManager({ lanes: inFlight })
  for await (const { status, reason } of manager.check(turns(targets, clock), { concurrency: inFlight })) {
    if (status !== 'up') throw new Error(reason)
    clock.done++
  }
}

/** `inFlight` loops of calls, one after another each. */
function loops<T>(targets: readonly T[], clock: Clock, call: (target: T) => Promise<void>): Promise<unknown> {
  const source = turns(targets, clock)
  const loop = async () => {
    for (const target of { [Symbol.iterator]: () => ({ next: () => source.next() }) }) {
      await call(target)
      clock.done++
    }
  }
  return Promise.all(Array.from({ length: inFlight }, loop))
}

function calls(call: (manager: ConnectionManager, target: string) => Promise<void>): Loop {
  return async (targets, clock) => {
    await using manager = new ConnectionManager({ lanes: inFlight })
    await loops(targets, clock, (target) => call(manager, target))
  }
}

async function node(targets: readonly string[], clock: Clock): Promise<void> {
  await loops(targets.map(asNodeTarget), clock, async (target) => void (await nodeConnect(target)).resetAndDestroy())
}

function peer(name: string, threads: number): Contestant<Accepting> {
  return {
    name,
    async spawn({ port }, settings, peers) {
      if (port === undefined) throw new Skipped('connects to the loopback server alone, and --targets names others')
      const { warmUpMs, ms } = durations(settings)
      return runPeer(await peers.path('connect_blocking'), [port, targetCount, threads, warmUpMs, ms])
    },
  }
}
