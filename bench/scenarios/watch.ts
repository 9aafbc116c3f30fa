/** Health over time of very many targets: how late checks start, what the event loop feels, and what it costs. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { ConnectionManager } from '../../src/index.js'
import type { Metrics, Scenario, Settings } from '../scenario.js'
import { openAccepting, openHanging } from '../setup/servers.js'
import { targets as spread } from '../setup/targets.js'

interface Stage {
  up: number
  hanging: number
}

const intervalMs = 10_000
const name = 'manager.watch()'

export const watching: Scenario<Stage> = {
  name: 'watch',
  about:
    'manager.watch() of 50,000 targets, of which 1 % hang, each every 10 s. Lateness is from when a check was due to when it\n' +
    'started. Memory is resident, after two intervals and at the end. CPU is of one core.',
  rounds: 3,
  columns: [
    { key: 'p50', title: 'lateness p50', unit: 'ms', digits: 1 },
    { key: 'p99', title: 'p99', unit: 'ms', digits: 1 },
    { key: 'max', title: 'max', unit: 'ms', digits: 1 },
    { key: 'loop', title: 'loop delay p99', unit: 'ms', digits: 1 },
    { key: 'perSecond', title: 'checks', unit: '/s' },
    { key: 'cpu', title: 'CPU', unit: '%' },
    { key: 'memory', title: 'memory', unit: 'MiB' },
    { key: 'growth', title: 'growth', unit: 'MiB', digits: 1 },
    { key: 'changes', title: 'false changes', unit: '' },
  ],
  figures: [
    { says: 'watch: loop delay p99', unit: 'ms', digits: 1, under: 20, of: (value) => value(name, 'loop') },
    { says: 'watch: lateness p99', unit: 'ms', digits: 1, of: (value) => value(name, 'p99') },
    { says: 'watch: false changes', unit: '', atMost: 0, of: (value) => value(name, 'changes') },
  ],
  open: async (_, peers) => {
    const [accepting, hanging] = [await openAccepting(peers), await openHanging()]
    return {
      stage: { up: accepting.port, hanging: hanging.port },
      close: async () => {
        await hanging.close()
        return [...accepting.notes, ...(await accepting.close())]
      },
    }
  },
  contestants: () => [{ name, run: watch }],
}

async function watch({ up, hanging }: Stage, { quick }: Settings): Promise<Metrics> {
  const [count, seconds] = quick ? [1_000, 2] : [50_000, 20]
  const every = quick ? 500 : intervalMs
  const targets = spread(up, count).map((target, i) => (i % 100 === 0 ? `${target.split(':')[0]}:${hanging}` : target))
  await using manager = new ConnectionManager()
  const watch = manager.watch(targets, { intervalMs: every, timeoutMs: 3_000 })
  let changes = 0
  const taking = (async () => {
    // The first result of a target is no change of its health.
    for await (const { from } of watch) changes += Number(from !== 'unknown')
  })()
  await wait(every * 2)
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const [before, cpu, startedAt] = [process.memoryUsage().rss, process.cpuUsage(), performance.now()]
  await wait(seconds * 1_000)
  const { user, system } = process.cpuUsage(cpu)
  const { latenessMs } = watch.summary()
  const rss = process.memoryUsage().rss
  const elapsed = performance.now() - startedAt
  await watch[Symbol.asyncDispose]()
  await taking
  return {
    ...latenessMs,
    // The monitor's own interval is in it.
    loop: Math.max(0, delay.percentile(99) / 1e6 - 5),
    perSecond: (count / every) * 1_000,
    cpu: (user + system) / 10 / elapsed,
    memory: rss / 1_048_576,
    growth: (rss - before) / 1_048_576,
    changes,
  }
}
