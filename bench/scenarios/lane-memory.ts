/** What a blocked lane keeps resident: the process's own pages, and the kernel's beside them. */
import { readFileSync } from 'node:fs'

import { laneStackBytes } from '../../src/core/limits.js'
import { type ConnectionManager, ledger } from '../../src/index.js'
import type { Contestant, Metrics, Scenario } from '../scenario.js'
import { type Hanging, managerFor, openHangingStage, tcpTarget, untilBlocked, warmUp } from './blocked.js'

const sizes = [1_000, 5_000]

type Start = (manager: ConnectionManager, targets: string[], signal: AbortSignal) => Promise<unknown>

export const laneMemory: Scenario<Hanging> = {
  name: 'lane-memory',
  about:
    "What grows while so many lanes are blocked, divided by them: resident pages of the lanes' stacks; of the whole\n" +
    "process, so with the calls' own objects in JavaScript; and the kernel's, machine-wide: threads and sockets.",
  rounds: 3,
  columns: [
    { key: 'stack', title: 'stack', unit: 'KiB', digits: 1 },
    { key: 'process', title: 'whole process', unit: 'KiB', digits: 1 },
    { key: 'kernel', title: 'kernel', unit: 'KiB', digits: 1 },
  ],
  figures: [
    {
      says: 'resident a blocked lane, all of the process',
      unit: 'KiB',
      digits: 1,
      of: (value) => value('check(), 5,000 blocked', 'process'),
      atMost: 12,
    },
  ],
  open: openHangingStage,
  contestants: ({ quick }) =>
    sizes
      .filter((size) => !quick || size <= 1_000)
      .flatMap((size) => [blocked('check()', size, startCheck), blocked('connect()', size, startConnects)]),
}

const startCheck: Start = async (manager, targets, signal) => {
  for await (const _ of manager.check(targets, { signal, concurrency: targets.length }));
}

const startConnects: Start = (manager, targets, signal) =>
  Promise.all(targets.map((target) => manager.connect(target, { signal })))

const blocked = (name: string, size: number, start: Start): Contestant<Hanging> => ({
  name: `${name}, ${size.toLocaleString('en')} blocked`,
  needs: size,
  run: (stage) => measure(size, stage, start),
})

async function measure(size: number, stage: Hanging, start: Start): Promise<Metrics> {
  await using manager = managerFor(size)
  // Once only: what more of it left behind would be filled again, and not be seen to grow.
  await warmUp(manager, tcpTarget(stage, 0), 1)
  const targets = Array.from({ length: size }, (_, index) => tcpTarget(stage, index))
  while (ledger().lanes > 0) await new Promise(setImmediate)
  const before = read()
  const controller = new AbortController()
  const ended = start(manager, targets, controller.signal).catch(() => {})
  await untilBlocked(size)
  const after = read()
  controller.abort()
  await ended
  const grown = (key: keyof Memory) => (after[key] - before[key]) / size
  return { stack: grown('stacks'), process: grown('resident'), kernel: grown('kernel') }
}

/** KiB. */
interface Memory {
  resident: number
  stacks: number
  kernel: number
}

function read(): Memory {
  globalThis.gc!()
  const meminfo = readFileSync('/proc/meminfo', 'utf8')
  return {
    resident: field(readFileSync('/proc/self/smaps_rollup', 'utf8'), 'Rss'),
    stacks: residentOfStacks(readFileSync('/proc/self/smaps', 'utf8')),
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
