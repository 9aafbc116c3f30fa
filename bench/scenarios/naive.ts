/** The contrast: a pool's own abort of a worker that blocks in connect(2), beside an abort of ours. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'

import { encodeSocketAddress } from '../../src/core/sockaddr.js'
import { ledger } from '../../src/index.js'
import type { Metrics, Scenario } from '../scenario.js'
import {
  block,
  type Hanging,
  managerFor,
  openDescriptors,
  openHangingStage,
  openSockets,
  tcpTarget,
  threads,
  untilBlocked,
} from '../setup/blocked.js'
import { address } from '../setup/targets.js'

const atOnce = 4
const times = 5
const pool = 'a worker that blocks, under Piscina with `signal`'

export const naive: Scenario<Hanging> = {
  name: 'naive',
  about:
    `${atOnce} hanging connects are aborted, ${times} times; then the pool or manager is closed. Threads and descriptors that the\n` +
    'process has then and had not before it.',
  rounds: 1,
  columns: [
    { key: 'threads', title: 'stranded threads', unit: '' },
    { key: 'descriptors', title: 'leaked descriptors', unit: '' },
    { key: 'sockets', title: 'sockets among them', unit: '' },
  ],
  figures: [
    {
      says: 'cancelpoint: threads stranded by 20 aborts',
      unit: '',
      of: (value) => value('cancelpoint', 'threads'),
      atMost: 0,
    },
    {
      says: 'cancelpoint: descriptors leaked',
      unit: '',
      of: (value) => value('cancelpoint', 'descriptors'),
      atMost: 0,
    },
    { says: 'the naive way: threads stranded', unit: '', of: (value) => value(pool, 'threads') },
    { says: 'the naive way: sockets leaked', unit: '', of: (value) => value(pool, 'sockets') },
  ],
  open: openHangingStage,
  contestants: () => [
    { name: 'cancelpoint', run: (stage) => leftBy(() => ours(stage)) },
    { name: pool, run: (stage) => leftBy(() => theirs(stage)) },
  ],
}

/** What is left once `work` is done and has had time to go. A stranded worker keeps its event loop's descriptors too. */
async function leftBy(work: () => Promise<void>): Promise<Metrics> {
  const before = { threads: threads(), descriptors: openDescriptors(), sockets: openSockets() }
  await work()
  await sleep(500)
  return {
    threads: threads() - before.threads,
    descriptors: openDescriptors() - before.descriptors,
    sockets: openSockets() - before.sockets,
  }
}

async function ours(stage: Hanging): Promise<void> {
  await using manager = managerFor(atOnce)
  for (let time = 0; time < times; time++) {
    const blocked = Array.from({ length: atOnce }, (_, index) => block(manager, tcpTarget(stage, index)))
    await untilBlocked(atOnce)
    for (const { controller } of blocked) controller.abort()
    await Promise.all(blocked.map(({ rejected }) => rejected))
  }
  if (ledger().descriptors > 0) throw new Error('rejected before every descriptor was closed')
}

async function theirs(stage: Hanging): Promise<void> {
  const piscina = new Piscina({
    filename: fileURLToPath(new URL('../naive-worker.js', import.meta.url)),
    minThreads: atOnce,
    maxThreads: atOnce,
    atomics: 'disabled',
    execArgv: [],
  })
  for (let time = 0; time < times; time++) {
    const controller = new AbortController()
    const { signal } = controller
    const open = openSockets()
    const calls = Array.from({ length: atOnce }, (_, index) => {
      const remote = encodeSocketAddress({ family: 'inet', address: address(index), port: stage.port })
      return piscina.run(remote, { signal }).catch(() => {})
    })
    while (openSockets() < open + atOnce) await sleep(5)
    await sleep(50) // from socket(2) into connect(2)
    controller.abort()
    await Promise.all(calls)
  }
  await piscina.destroy()
}
