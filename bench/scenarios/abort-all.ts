/** One abort() for hundreds or thousands of hanging connects: when the last caller knows, and what the event loop feels. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { ledger } from '../../src/index.js'
import { type EngineName, engineNames } from '../../src/types.js'
import { type PeerName, runPeer } from '../peers.js'
import { betweenEngines, type Contestant, type Lookup, type Metrics, ratio, type Scenario } from '../scenario.js'
import {
  type Hanging,
  managerFor,
  nameOf,
  openDescriptors,
  openHangingStage,
  tcpTarget,
  untilBlocked,
  warmUp,
} from '../setup/blocked.js'
import { targetCount } from '../setup/targets.js'
import { percentiles } from '../statistics.js'

const sizes = [100, 1_000, 10_000]
const of =
  (size: number, column: string, engine: EngineName = 'blocking') =>
  (value: Lookup) =>
    value(nameOf(size, engine), column)

/** In C: what the last column is at the least. */
const closing = (size: number) => `${size.toLocaleString('en')} in flight, C, close(2) one by one`
const cancelling = (size: number) => `${size.toLocaleString('en')} in flight, C, io_uring`

export const abortAll: Scenario<Hanging> = {
  name: 'abort-all',
  about:
    'Hanging connects that share one signal. From abort() to the rejections; until every descriptor is closed, as one rejection\n' +
    'in a hundredth of them finds it; until every thread is joined; and the longest the event loop was held meanwhile,\n' +
    'abort() itself included.',
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'ms', digits: 2 },
    { key: 'p99', title: 'p99', unit: 'ms', digits: 2 },
    { key: 'last', title: 'last', unit: 'ms', digits: 1 },
    { key: 'closed', title: 'all closed', unit: 'ms', digits: 1 },
    { key: 'joined', title: 'all joined', unit: 'ms', digits: 1 },
    { key: 'abortCall', title: 'abort() itself', unit: 'ms', digits: 2 },
    { key: 'longestTurn', title: 'longest turn', unit: 'ms', digits: 1 },
  ],
  figures: [
    { says: '1,000 aborted at once: the last rejection', unit: 'ms', digits: 1, of: of(1_000, 'last'), under: 50 },
    { says: '10,000 aborted at once: the last rejection', unit: 'ms', digits: 1, of: of(10_000, 'last'), under: 300 },
    {
      says: '10,000 aborted at once, nonblocking: the last rejection',
      unit: 'ms',
      digits: 1,
      of: of(10_000, 'last', 'nonblocking'),
      under: 60,
    },
    { says: '10,000 aborted at once: longest turn', unit: 'ms', digits: 1, of: of(10_000, 'longestTurn'), atMost: 20 },
    ratio(
      '10,000 aborted at once, nonblocking, against close(2) in C: the last',
      'last',
      nameOf(10_000, 'nonblocking'),
      closing(10_000),
      { atMost: 1.5 },
    ),
    betweenEngines('10,000 aborted at once, the last rejection', 'last', (engine) => nameOf(10_000, engine)),
  ],
  open: openHangingStage,
  contestants: ({ quick }) =>
    sizes
      .filter((size) => !quick || size <= 1_000)
      .flatMap((size) => [
        ...engineNames.map((engine) => inFlight(size, engine)),
        peer(closing(size), 'connect_epoll', 'close', size),
        peer(cancelling(size), 'connect_uring', 'cancel', size),
      ]),
}

const peer = (name: string, program: PeerName, ...how: (string | number)[]): Contestant<Hanging> => ({
  name,
  async spawn({ port }, _, peers) {
    const { ms } = await runPeer<{ ms: number }>(await peers.path(program), [port, targetCount, ...how])
    return { last: ms }
  },
})

const inFlight = (size: number, engine: EngineName): Contestant<Hanging> => ({
  name: nameOf(size, engine),
  needs: size,
  run: (stage) => measure(size, engine, stage),
})

async function measure(size: number, engine: EngineName, stage: Hanging): Promise<Metrics> {
  await using manager = managerFor(size, engine)
  await warmUp(manager, tcpTarget(stage, 0))
  const openBefore = openDescriptors()
  const controller = new AbortController()
  const rejectedAt: number[] = []
  let closedAt: number | undefined
  const calls = Array.from({ length: size }, (_, index) =>
    manager.connect(tcpTarget(stage, index), { signal: controller.signal }).catch(() => {
      rejectedAt.push(performance.now())
      const looks = closedAt === undefined && rejectedAt.length % (size / 100) === 0
      if (looks && ledger().descriptors === 0) closedAt = performance.now()
    }),
  )
  await untilBlocked(size)
  globalThis.gc!()
  const turns = monitorEventLoopDelay({ resolution: 1 })
  turns.enable()
  await sleep(20)
  turns.reset()

  const abortedAt = performance.now()
  controller.abort()
  const abortCall = performance.now() - abortedAt
  await Promise.all(calls)
  if (closedAt === undefined) throw new Error('rejected before every descriptor was closed')
  if (openDescriptors() !== openBefore) throw new Error('not every descriptor was closed')
  while (ledger().lanes > 0) await sleep(1)
  const joined = performance.now() - abortedAt
  turns.disable()
  const waits = rejectedAt.map((at) => at - abortedAt)
  const closed = closedAt - abortedAt
  return { ...percentiles(waits), last: Math.max(...waits), closed, joined, abortCall, longestTurn: turns.max / 1e6 }
}
