/** One call at a time: what a caller that needs one connection waits for it. */
import type { Socket } from 'node:net'

import { ConnectionManager } from '../../src/index.js'
import { type EngineName, engineNames } from '../../src/types.js'
import { type Aim, betweenEngines, type Contestant, installed, micro, ratio, type Scenario } from '../scenario.js'
import {
  type Accepting,
  asNodeTarget,
  nodeConnect,
  openAcceptingStage,
  ourConnect,
  reset,
  targetsOf,
} from '../setup/accepting.js'
import { percentiles } from '../statistics.js'

const netConnect = 'net.connect'
const undici = "undici's connector"
const connect = (engine: EngineName) => `connect(), ${engine}`
const create = (engine: EngineName) => `createConnection(), ${engine}`

const against = (engine: EngineName, theirs: string, aim?: Aim) =>
  ratio(`a single connect(), ${engine}, against ${theirs}: p50`, 'p50', connect(engine), theirs, aim)

export const singleCall: Scenario<Accepting> = {
  name: 'single-call',
  about:
    'One connect at a time, from the call to the connected socket; the close, by a reset, is not counted. The connector of\n' +
    'undici is as an Agent builds it, with its timeout of 10 s.',
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'µs', digits: 1 },
    { key: 'p99', title: 'p99', unit: 'µs', digits: 1 },
  ],
  figures: [
    against('nonblocking', netConnect, { atMost: 1 }),
    against('nonblocking', undici),
    ratio('a single createConnection(), against net.connect: p50', 'p50', create('nonblocking'), netConnect, {
      atMost: 1.1,
    }),
    against('blocking', netConnect, { atMost: 1.7 }),
    against('blocking', undici),
    betweenEngines('a single connect(), p50', 'p50', connect),
    betweenEngines('a single connect(), p99', 'p99', connect),
  ],
  takesTargets: true,
  open: openAcceptingStage,
  contestants: () => [
    ...engineNames.flatMap((engine) => [
      {
        name: connect(engine),
        run: overManager(engine, (manager, target) => manager.connect(target), reset),
      },
      {
        name: create(engine),
        run: overManager(engine, (manager, target) => ourConnect(asNodeTarget(target), manager), reset),
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
    { name: netConnect, run: latencyOf(asNodeTarget, nodeConnect, reset) },
    { name: undici, run: throughUndici },
  ],
}

const throughUndici: Contestant<Accepting>['run'] = async (stage, settings) => {
  const { buildConnector } = await installed('undici', import('undici'))
  const prepare = (target: string) => {
    const node = asNodeTarget(target)
    const connector = buildConnector('path' in node ? { socketPath: node.path } : {})
    const { host: hostname, port } = 'path' in node ? { host: 'localhost', port: 80 } : node
    return { connector, wanted: { hostname, port: String(port), protocol: 'http:' } }
  }
  const call = ({ connector, wanted }: ReturnType<typeof prepare>) =>
    new Promise<Socket>((resolve, reject) => {
      connector(wanted, (error, socket) => (error ? reject(error) : resolve(socket)))
    })
  return await latencyOf(prepare, call, reset)!(stage, settings)
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
