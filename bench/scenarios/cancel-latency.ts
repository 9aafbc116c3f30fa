/** How long a caller waits from abort() to the rejection, by when the descriptor is closed. */
import { ledger } from '../../src/index.js'
import { type Contestant, type Metrics, micro, type Scenario, type Settings } from '../scenario.js'
import { percentiles } from '../statistics.js'
import {
  block,
  type Hanging,
  managerFor,
  openDescriptors,
  openHangingStage,
  tcpTarget,
  untilBlocked,
  warmUp,
} from './blocked.js'

const sizes = [1, 100, 1_000, 10_000]
const one = '1 in flight'

export const cancelLatency: Scenario<Hanging> = {
  name: 'cancel-latency',
  about:
    'Of so many hanging connects one is aborted at a time, and another takes its place. From abort() to the caught\n' +
    'rejection; at each, the descriptor is counted closed.',
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'µs' },
    { key: 'p99', title: 'p99', unit: 'µs' },
  ],
  figures: [
    { says: 'abort() to rejection, one in flight: p50', unit: 'µs', of: (value) => value(one, 'p50'), under: 80 },
    { says: 'abort() to rejection, one in flight: p99', unit: 'µs', of: (value) => value(one, 'p99'), under: 500 },
  ],
  open: openHangingStage,
  contestants: ({ quick }) => [
    ...sizes.filter((size) => !quick || size <= 100).map(inFlight),
    {
      name: `${one}, AF_UNIX`,
      run: ({ path }, settings) => measure(1, () => `unix:${path}`, settings),
    },
  ],
}

const inFlight = (size: number): Contestant<Hanging> => ({
  name: `${size.toLocaleString('en')} in flight`,
  needs: size,
  run: (stage, settings) => measure(size, (index) => tcpTarget(stage, index), settings),
})

async function measure(size: number, target: (index: number) => string, { quick }: Settings): Promise<Metrics> {
  await using manager = managerFor(size)
  await warmUp(manager, target(0))
  const openBefore = openDescriptors()
  const blocked = Array.from({ length: size }, (_, index) => block(manager, target(index)))
  const latencies: number[] = []
  const samples = quick ? 20 : 300
  for (let i = 0; i < samples; i++) {
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
