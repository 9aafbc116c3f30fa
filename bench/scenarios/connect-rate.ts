/** Connects a second, accepted and refused: three public ways over both engines, Node's own, and bare C. */
import { availableParallelism } from 'node:os'
import * as limits from '../../src/core/limits.js'
import { type CheckResult, ConnectionManager } from '../../src/index.js'
import { type EngineName, engineNames } from '../../src/types.js'
import { type PeerName, runPeer } from '../peers.js'
import { type Clock, durations, inFlight, type Loop, loops, rateOf, turns } from '../rates.js'
import {
  type Aim,
  betweenEngines,
  type Contestant,
  type Figure,
  ratio,
  type Scenario,
  Skipped,
  stageOf,
} from '../scenario.js'
import {
  type Accepting,
  asNodeTarget,
  nodeConnect,
  openAcceptingStage,
  ourConnect,
  reset,
  targetsOf,
} from '../setup/accepting.js'
import { openRefusing } from '../setup/servers.js'
import { targetCount } from '../setup/targets.js'

/** What connects come to, and so what a contestant waits for. */
interface Answer {
  /** As the C programs know it. */
  name: 'accept' | 'refuse'
  says: string
  /** Waits for a call to end so, and throws where it ends otherwise. */
  ended<T>(call: Promise<T>, close: (connected: T) => void): Promise<void>
  asExpected(result: CheckResult): boolean
}

const accept: Answer = {
  name: 'accept',
  says: 'accepted',
  ended: async (call, close) => close(await call),
  asExpected: ({ status }) => status === 'up',
}

const refuse: Answer = {
  name: 'refuse',
  says: 'refused',
  ended: (call) =>
    call.then(
      () => {
        throw new Error('connected, and was to be refused')
      },
      (error) => {
        if (error.code !== 'ECONNREFUSED') throw error
      },
    ),
  asExpected: ({ status, code }) => status === 'down' && code === 'ECONNREFUSED',
}

const netConnect = 'net.connect'
const over = (call: string) => (engine: EngineName) => `${call}, ${engine}`
const [check, open, connect] = [over('check()'), over('open()'), over('connect()')]
const create = over('createConnection()')
const oneReactor = 'check(), nonblocking, one reactor'
const cEpoll = 'C, epoll'
const cLook = 'C, epoll, a look first'
const cReuse = 'C, epoll, descriptors reused'
const cUring = 'C, io_uring, with linked timeouts'

/**
 * All cores at work: each connect costs what the C loop pays for it and what JavaScript adds on its thread. Refused, nothing of it
 * is another process's. Reactors are at most four.
 */
const ofTheBound: Figure = {
  says: `refused: ${check('nonblocking')}, of what all cores could do: cores / (CPU in C + CPU in JavaScript)`,
  unit: 'x',
  digits: 2,
  of(value) {
    const [rate, ours] = [value(check('nonblocking'), 'perSecond'), value(check('nonblocking'), 'mainUs')]
    const inC = value(cEpoll, 'cpuUs')
    if (rate === undefined || ours === undefined || inC === undefined) return undefined
    return (rate * (inC + ours)) / (Math.min(availableParallelism(), limits.reactors) * 1e6)
  },
  atLeast: 0.9,
}

export const connectRate: Scenario<Accepting> = {
  name: 'connect-rate',
  about:
    `Connect and close by a reset, ${inFlight} in flight, over ${targetCount.toLocaleString('en')} loopback addresses or the targets named; the\n` +
    'blocking C loops have one in flight a thread. With a look first, C asks poll(2) once before epoll, as the reactor does;\n' +
    "reused, a descriptor is dissolved, not closed. CPU is the contestant's own process, user and system.",
  ...rates(accept, { atLeast: 2 }),
  takesTargets: true,
  open: openAcceptingStage,
}

export const refuseRate: Scenario<Accepting> = {
  name: 'refuse-rate',
  about: 'The same where nothing listens and every connect is refused; connect() and open() reject, without retries.',
  ...rates(refuse, {}, [ofTheBound]),
  open: async () => stageOf(await openRefusing()),
}

function rates(answer: Answer, againstNode: Aim = {}, more: readonly Figure[] = []) {
  const against = (mine: string, theirs: string, aim?: Aim) =>
    ratio(`${answer.says}: ${mine}, against ${theirs}`, 'perSecond', mine, theirs, aim)
  return {
    rounds: 5,
    columns: [
      { key: 'perSecond', title: 'connects', unit: '/s' },
      { key: 'cpuUs', title: 'CPU a connect', unit: 'µs', digits: 1 },
      { key: 'mainUs', title: 'in JavaScript', unit: 'µs', digits: 1 },
    ],
    figures: [
      against(check('blocking'), netConnect, againstNode),
      against(connect('blocking'), netConnect),
      against(connect('nonblocking'), netConnect, againstNode),
      against(create('nonblocking'), netConnect, againstNode),
      against(check('blocking'), 'C, 1 thread'),
      against(check('blocking'), 'C, 2 threads'),
      against(check('nonblocking'), cEpoll, { atLeast: 1 }),
      against(check('nonblocking'), oneReactor),
      ...more,
      against(check('nonblocking'), cLook),
      against(check('nonblocking'), cReuse),
      against(cUring, cEpoll),
      betweenEngines(`check() rate, ${answer.says}`, 'perSecond', check),
      betweenEngines(`connect() rate, ${answer.says}`, 'perSecond', connect),
    ],
    contestants: () => [
      ...engineNames.flatMap((engine) => overEngine(engine, answer)),
      checking(oneReactor, 'nonblocking', answer, '1'),
      contestant(netConnect, throughNode(answer)),
      peer('C, 1 thread', 'connect_blocking', answer, 1),
      peer('C, 2 threads', 'connect_blocking', answer, 2),
      peer(cEpoll, 'connect_epoll', answer, inFlight, 'wait'),
      peer(cLook, 'connect_epoll', answer, inFlight, 'look'),
      peer(cReuse, 'connect_epoll', answer, inFlight, 'reuse'),
      peer(cUring, 'connect_uring', answer, inFlight),
    ],
  }
}

const contestant = (name: string, loop: Loop): Contestant<Accepting> => ({
  name,
  run: (stage, settings) => rateOf(loop, targetsOf(stage, settings), settings),
})

type Managed = (manager: ConnectionManager, targets: readonly string[], clock: Clock) => Promise<void>

function managed(name: string, engine: EngineName, loop: Managed): Contestant<Accepting> {
  return contestant(name, async (targets, clock) => {
    await using manager = new ConnectionManager({ engine, maxInFlight: inFlight, retry: false })
    await loop(manager, targets, clock)
  })
}

function checking(name: string, engine: EngineName, { asExpected }: Answer, reactors?: string): Contestant<Accepting> {
  return managed(name, engine, async (manager, targets, clock) => {
    if (reactors) process.env.CANCELPOINT_REACTORS = reactors
    for await (const result of manager.check(turns(targets, clock), { concurrency: inFlight })) {
      if (!asExpected(result)) throw new Error(result.reason ?? `${result.target} is ${result.status}`)
      clock.done++
    }
  })
}

function overEngine(engine: EngineName, answer: Answer): Contestant<Accepting>[] {
  const { ended } = answer
  return [
    checking(check(engine), engine, answer),
    managed(open(engine), engine, (manager, targets, clock) =>
      loops(targets, clock, (target) => ended(manager.open(target), (descriptor) => descriptor.close())),
    ),
    managed(connect(engine), engine, (manager, targets, clock) =>
      loops(targets, clock, (target) => ended(manager.connect(target), reset)),
    ),
    managed(create(engine), engine, (manager, targets, clock) =>
      loops(targets.map(asNodeTarget), clock, (target) => ended(ourConnect(target, manager), reset)),
    ),
  ]
}

function throughNode({ ended }: Answer): Loop {
  return (targets, clock) => loops(targets.map(asNodeTarget), clock, (target) => ended(nodeConnect(target), reset))
}

function peer(name: string, program: PeerName, answer: Answer, ...how: (string | number)[]): Contestant<Accepting> {
  return {
    name,
    async spawn({ port }, settings, peers) {
      if (port === undefined) throw new Skipped('connects to the loopback server alone, and --targets names others')
      const { warmUpMs, ms } = durations(settings)
      return runPeer(await peers.path(program), [port, targetCount, warmUpMs, ms, answer.name, ...how])
    },
  }
}
