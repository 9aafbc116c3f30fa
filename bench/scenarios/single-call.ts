/** One call at a time: what a caller that needs one connection waits for it. */
import { ConnectionManager } from '../../src/index.js'
import type { EngineName } from '../../src/types.js'
import { type Contestant, engines, micro, ratio, type Scenario } from '../scenario.js'
import { percentiles } from '../statistics.js'
import { type Accepting, asNodeTarget, nodeConnect, openAcceptingStage, targetsOf } from './accepting.js'

const netConnect = 'net.connect'

export const singleCall: Scenario<Accepting> = {
  name: 'single-call',
  about: 'One connect at a time, from the call to the connected socket; the close, by a reset, is not counted.',
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'µs', digits: 1 },
    { key: 'p99', title: 'p99', unit: 'µs', digits: 1 },
  ],
  figures: [
    ratio('a single connect(), nonblocking, against net.connect: p50', 'p50', 'connect(), nonblocking', netConnect, {
      atMost: 1,
    }),
  ],
  takesTargets: true,
  open: openAcceptingStage,
  contestants: () => [
    ...engines.flatMap((engine) => [
      {
        name: `connect(), ${engine}`,
        run: overManager(
          engine,
          (manager, target) => manager.connect(target),
          (socket) => socket.resetAndDestroy(),
        ),
      },
      {
        name: `open(), ${engine}`,
        run: overManager(
          engine,
          (manager, target) => manager.open(target),
          (descriptor) => descriptor.close(),
        ),
      },
    ]),
    { name: netConnect, run: latencyOf(asNodeTarget, nodeConnect, (socket) => socket.resetAndDestroy()) },
  ],
}

function overManager<T>(
  engine: EngineName,
  call: (manager: ConnectionManager, target: string) => Promise<T>,
  close: (result: T) => void,
): Contestant<Accepting>['run'] {
  return async (stage, settings) => {
    await using manager = new ConnectionManager({ engine })
    return await latencyOf(
      (target) => target,
      (target: string) => call(manager, target),
      close,
    )!(stage, settings)
  }
}

function latencyOf<Target, T>(
  prepare: (target: string) => Target,
  call: (target: Target) => Promise<T>,
  close: (result: T) => void,
): Contestant<Accepting>['run'] {
  return async (stage, settings) => {
    const targets = targetsOf(stage, settings).map(prepare)
    const [warmUp, samples] = settings.quick ? [50, 100] : [1_000, 5_000]
    const latencies: number[] = []
    for (let i = 0; i < warmUp + samples; i++) {
      const startedAt = performance.now()
      const result = await call(targets[i % targets.length]!)
      if (i >= warmUp) latencies.push((performance.now() - startedAt) * micro)
      close(result)
      // The reset is not the next call's business.
      await new Promise(setImmediate)
    }
    return percentiles(latencies)
  }
}
