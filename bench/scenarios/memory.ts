/** What an attempt in flight keeps resident: native code's pages, objects in JavaScript, and the kernel's beside them. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'

import { laneStackBytes } from '../../src/core/limits.js'
import { type ConnectionManager, ledger } from '../../src/index.js'
import { type EngineName, engineNames } from '../../src/types.js'
import type { Aim, Contestant, Figure, Metrics, Scenario } from '../scenario.js'
import {
  type Hanging,
  managerFor,
  nameOf,
  openHangingStage,
  tcpTarget,
  untilBlocked,
  warmUp,
} from '../setup/blocked.js'

const sizes: Record<EngineName, number[]> = { blocking: [1_000, 5_000], nonblocking: [1_000, 10_000] }

type Start = (manager: ConnectionManager, targets: string[], signal: AbortSignal) => Promise<unknown>

const calls: Record<string, Start> = {
  'check()': async (manager, targets, signal) => {
    for await (const _ of manager.check(targets, { signal, concurrency: targets.length }));
  },
  'connect()': (manager, targets, signal) => Promise.all(targets.map((target) => manager.connect(target, { signal }))),
}

const named = (call: string, size: number, engine: EngineName) => `${call}, ${nameOf(size, engine)}`

const resident = (says: string, contestant: string, column: string, aim: Aim = {}): Figure => ({
  says: `resident ${says}`,
  unit: 'KiB',
  digits: 2,
  of: (value) => value(contestant, column),
  ...aim,
})

const [check, connect] = Object.keys(calls).map((call) => named(call, 10_000, 'nonblocking')) as [string, string]

export const memory: Scenario<Hanging> = {
  name: 'memory',
  about:
    'What grows while so many connects hang under one signal, for the first time in a process, divided by them. Native is what is\n' +
    "resident beside the lanes' stacks and V8's heap; JavaScript is live objects after a collection; user space is these three.\n" +
    "The whole process has all of V8's heap, with room that is spare or was. The kernel's is machine-wide: threads and sockets.",
  rounds: 3,
  columns: ['stack', 'native', 'JavaScript', 'user space', 'whole process', 'kernel'].map((key) => {
    return { key, title: key, unit: 'KiB', digits: 2 }
  }),
  figures: [
    resident('a blocked lane, all of the process', named('check()', 5_000, 'blocking'), 'whole process', {
      atMost: 12,
    }),
    resident('an attempt in flight, nonblocking, by check(): user space', check, 'user space', { atMost: 1 }),
    resident('an attempt in flight, nonblocking, by connect(): user space', connect, 'user space', { under: 3 }),
    resident('an attempt in flight, nonblocking, by check(): native', check, 'native'),
    resident('an attempt in flight, nonblocking, by connect(): native', connect, 'native'),
  ],
  open: openHangingStage,
  contestants: ({ quick }) =>
    engineNames.flatMap((engine) =>
      sizes[engine]
        .filter((size) => !quick || size <= 1_000)
        .flatMap((size) => Object.entries(calls).map(([call, start]) => hanging(call, size, engine, start))),
    ),
}

const hanging = (call: string, size: number, engine: EngineName, start: Start): Contestant<Hanging> => ({
  name: named(call, size, engine),
  needs: size,
  run: (stage) => measure(size, engine, stage, start),
})

async function measure(size: number, engine: EngineName, stage: Hanging, start: Start): Promise<Metrics> {
  await using manager = managerFor(size, engine)
  // Once only: slots and pages that more of it left behind would be filled again, and not be seen to grow.
  await warmUp(manager, tcpTarget(stage, 0), 1)
  const targets = Array.from({ length: size }, (_, index) => tcpTarget(stage, index))
  while (ledger().lanes > 0) await new Promise(setImmediate)
  const before = await read()
  const controller = new AbortController()
  const ended = start(manager, targets, controller.signal).catch(() => {})
  await untilBlocked(size)
  const after = await read()
  controller.abort()
  await ended
  const grown = (key: keyof Memory) => (after[key] - before[key]) / size
  const [stack, live, resident] = [grown('stacks'), grown('live'), grown('resident')]
  const native = resident - stack - grown('heap')
  return {
    stack,
    native,
    JavaScript: live,
    'user space': stack + native + live,
    'whole process': resident,
    kernel: grown('kernel'),
  }
}

/** KiB. */
interface Memory {
  resident: number
  stacks: number
  /** V8's resident pages, and the objects in them. */
  heap: number
  live: number
  kernel: number
}

async function read(): Promise<Memory> {
  // What a collection lets go of is partly freed by tasks that follow it.
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await sleep(20)
  }
  const { total_physical_size: heap, used_heap_size: live } = getHeapStatistics()
  const meminfo = readFileSync('/proc/meminfo', 'utf8')
  return {
    resident: field(readFileSync('/proc/self/smaps_rollup', 'utf8'), 'Rss'),
    stacks: residentOfStacks(readFileSync('/proc/self/smaps', 'utf8')),
    heap: heap / 1024,
    live: live / 1024,
    kernel: ['Slab', 'KernelStack', 'PageTables'].reduce((sum, name) => sum + field(meminfo, name), 0),
  }
}

/** Of the mappings as large as a lane's stack; its guard page is a mapping of its own. */
function residentOfStacks(smaps: string): number {
  const pattern = /^Size: +(\d+) kB\n(?:.*\n){2}Rss: +(\d+) kB$/gm
  const sizes = [laneStackBytes / 1024 - 4, laneStackBytes / 1024]
  return [...smaps.matchAll(pattern)]
    .filter(([, size]) => sizes.includes(Number(size)))
    .reduce((sum, [, , resident]) => sum + Number(resident), 0)
}

const field = (text: string, name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)![1])
