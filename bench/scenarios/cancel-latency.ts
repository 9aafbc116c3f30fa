/** How long a caller waits from abort() to the rejection, by when the descriptor is closed. */
import { setTimeout as sleep } from 'node:timers/promises'

import { ledger } from '../../src/index.js'
import { type EngineName, engineNames } from '../../src/types.js'
import {
  betweenEngines,
  type Contestant,
  type Figure,
  type Metrics,
  micro,
  type Scenario,
  type Settings,
} from '../scenario.js'
import {
  block,
  type Hanging,
  managerFor,
  nameOf,
  openDescriptors,
  openHangingStage,
  tcpTarget,
  untilBlocked,
  warmUp,
} from '../setup/blocked.js'
import { percentiles } from '../statistics.js'

const sizes = [1, 100, 1_000, 10_000]
const alone = 'abort() alone: a listener, nothing to cancel'

/** One in flight: what the cancel and the release take, beyond what abort() takes anyhow. */
const beyondAbort = (engine: EngineName, column: 'p50' | 'p99', under: number): Figure => ({
  says: `abort() to rejection, one in flight, ${engine}, more than abort() alone: ${column}`,
  unit: 'µs',
  of(value) {
    const [ours, bare] = [value(nameOf(1, engine), column), value(alone, column)]
    return ours === undefined || bare === undefined ? undefined : ours - bare
  },
  under,
})

export const cancelLatency: Scenario<Hanging> = {
  name: 'cancel-latency',
  about:
    'Of so many hanging connects one is aborted at a time, and another takes its place. From abort() to the caught\n' +
    'rejection; at each, the descriptor is counted closed. The last line is what an abort() costs that nothing hangs on.',
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'µs' },
    { key: 'p99', title: 'p99', unit: 'µs' },
  ],
  figures: [
    beyondAbort('nonblocking', 'p50', 60),
    beyondAbort('nonblocking', 'p99', 200),
    beyondAbort('blocking', 'p50', 100),
    beyondAbort('blocking', 'p99', 500),
    betweenEngines('abort() to rejection, one in flight, p50', 'p50', (engine) => nameOf(1, engine)),
  ],
  open: openHangingStage,
  contestants: ({ quick }) => [
    ...engineNames.flatMap((engine) =>
      sizes.filter((size) => !quick || size <= 100).map((size) => inFlight(size, engine)),
    ),
    {
      name: `${nameOf(1, 'blocking')}, AF_UNIX`,
      run: ({ path }, settings) => measure(1, 'blocking', () => `unix:${path}`, settings),
    },
    { name: alone, run: (_, settings) => measureAlone(settings) },
  ],
}

const inFlight = (size: number, engine: EngineName): Contestant<Hanging> => ({
  name: nameOf(size, engine),
  needs: size,
  run: (stage, settings) => measure(size, engine, (index) => tcpTarget(stage, index), settings),
})

async function measure(
  size: number,
  engine: EngineName,
  target: (index: number) => string,
  { quick }: Settings,
): Promise<Metrics> {
  await using manager = managerFor(size, engine)
  await warmUp(manager, target(0))
  const openBefore = openDescriptors()
  const blocked = Array.from({ length: size }, (_, index) => block(manager, target(index)))
  const latencies: number[] = []
  for (let i = 0; i < samplesOf(quick); i++) {
    await untilBlocked(size)
    const at = (i * 7919) % size
    const { controller, rejected } = blocked[at]!
    const abortedAt = performance.now()
    controller.abort()
    latencies.push(((await rejected) - abortedAt) * micro)
    if (ledger().descriptors !== size - 1) throw new Error('rejected before the descriptor was closed')
    blocked[at] = block(manager, target(size + i))
  }
  await untilBlocked(size)
  for (const { controller } of blocked) controller.abort()
  await Promise.all(blocked.map(({ rejected }) => rejected))
  if (openDescriptors() !== openBefore) throw new Error('not every descriptor was closed')
  return percentiles(latencies)
}

const samplesOf = (quick: boolean) => (quick ? 20 : 300)

/** The same steps with a promise that a listener settles. */
async function measureAlone({ quick }: Settings): Promise<Metrics> {
  const latencies: number[] = []
  for (let i = 0; i < samplesOf(quick); i++) {
    const controller = new AbortController()
    const heard = new Promise<number>((resolve) => {
      controller.signal.addEventListener('abort', () => resolve(performance.now()), { once: true })
    })
    await sleep(4) // as long as untilBlocked takes
    const abortedAt = performance.now()
    controller.abort()
    latencies.push(((await heard) - abortedAt) * micro)
  }
  return percentiles(latencies)
}
