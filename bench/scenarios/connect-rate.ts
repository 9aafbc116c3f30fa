/** Connects a second: three public ways over both engines, Node's own, and bare C. */
import { ConnectionManager } from '../../src/index.js'
import type { EngineName } from '../../src/types.js'
import { type PeerName, runPeer } from '../peers.js'
import { type Contestant, engines, type Metrics, ratio, type Scenario, type Settings, Skipped } from '../scenario.js'
import { type Accepting, asNodeTarget, nodeConnect, openAcceptingStage, targetsOf } from './accepting.js'
import { targetCount } from './targets.js'

const inFlight = 256
const netConnect = 'net.connect'

export const connectRate: Scenario<Accepting> = {
  name: 'connect-rate',
  about:
    `Connect and close by a reset, ${inFlight} in flight, over ${targetCount.toLocaleString('en')} loopback addresses or the targets named; the\n` +
    "blocking C loops have one in flight a thread. CPU is the contestant's own process, user and system.",
  rounds: 7,
  columns: [
    { key: 'perSecond', title: 'connects', unit: '/s' },
    { key: 'cpuUs', title: 'CPU a connect', unit: 'µs', digits: 1 },
  ],
  figures: [
    ratio('check(), blocking, against net.connect', 'perSecond', 'check(), blocking', netConnect, { atLeast: 2 }),
    ratio('check(), blocking, against C, 1 thread', 'perSecond', 'check(), blocking', 'C, 1 thread'),
    ratio('check(), blocking, against C, 2 threads', 'perSecond', 'check(), blocking', 'C, 2 threads'),
    ratio('check(), nonblocking, against C with epoll', 'perSecond', 'check(), nonblocking', 'C, epoll', {
      atLeast: 1,
    }),
    ratio('connect(), blocking, against net.connect', 'perSecond', 'connect(), blocking', netConnect),
    ratio('connect(), nonblocking, against net.connect', 'perSecond', 'connect(), nonblocking', netConnect, {
      atLeast: 2,
    }),
  ],
  takesTargets: true,
  open: openAcceptingStage,
  contestants: () => [
    ...engines.flatMap(overEngine),
    { name: netConnect, run: rateOf(node) },
    peer('C, 1 thread', 'connect_blocking', 1),
    peer('C, 2 threads', 'connect_blocking', 2),
    peer('C, epoll', 'connect_epoll', inFlight),
  ],
}

function overEngine(engine: EngineName): Contestant<Accepting>[] {
  const open = async (manager: ConnectionManager, target: string) => (await manager.open(target)).close()
  const connect = async (manager: ConnectionManager, target: string) =>
    void (await manager.connect(target)).resetAndDestroy()
  return [
    { name: `check(), ${engine}`, run: rateOf((targets, clock) => check(engine, targets, clock)) },
    { name: `open(), ${engine}`, run: rateOf(calls(engine, open)) },
    { name: `connect(), ${engine}`, run: rateOf(calls(engine, connect)) },
  ]
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

async function check(engine: EngineName, targets: readonly string[], clock: Clock): Promise<void> {
  await using manager = new ConnectionManager({ engine, maxInFlight: inFlight })
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

function calls(engine: EngineName, call: (manager: ConnectionManager, target: string) => Promise<void>): Loop {
  return async (targets, clock) => {
    await using manager = new ConnectionManager({ engine, maxInFlight: inFlight })
    await loops(targets, clock, (target) => call(manager, target))
  }
}

async function node(targets: readonly string[], clock: Clock): Promise<void> {
  await loops(targets.map(asNodeTarget), clock, async (target) => void (await nodeConnect(target)).resetAndDestroy())
}

function peer(name: string, program: PeerName, inFlight: number): Contestant<Accepting> {
  return {
    name,
    async spawn({ port }, settings, peers) {
      if (port === undefined) throw new Skipped('connects to the loopback server alone, and --targets names others')
      const { warmUpMs, ms } = durations(settings)
      return runPeer(await peers.path(program), [port, targetCount, inFlight, warmUpMs, ms])
    },
  }
}
