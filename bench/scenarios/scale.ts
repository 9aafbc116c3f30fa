/** From a hundred thousand targets to ten million, by the command as a user runs it: what does not grow with them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, createReadStream, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Peers } from '../peers.js'
import { type Contestant, type Figure, type Metrics, micro, ratio, type Scenario, stageOf } from '../scenario.js'
import { openRefusing } from '../setup/servers.js'

interface Stage {
  port: number
}

/** Ranges of 127/8. Ten million take minutes and some gigabytes of a file. */
const ranges = {
  '100,000': ['127.0.0.0/15'],
  '1,000,000': ['127.16.0.0/12'],
  '10,000,000': Array.from({ length: 10 }, (_, at) => `127.${16 * at}.0.0/12`),
}
type Size = keyof typeof ranges
const full = process.env.CANCELPOINT_FULL !== undefined
const sizes = (quick: boolean): Size[] =>
  quick ? ['100,000'] : full ? ['100,000', '1,000,000', '10,000,000'] : ['100,000', '1,000,000']
const nameOf = (size: Size) => `some ${size}`

const figures = (size: Size): Figure[] => [
  {
    says: `${nameOf(size)}: peak resident memory`,
    unit: 'MiB',
    of: (value) => value(nameOf(size), 'peak'),
    under: 120,
  },
  {
    says: `${nameOf(size)}: event loop delay, p99`,
    unit: 'ms',
    digits: 1,
    of: (value) => value(nameOf(size), 'loop'),
    under: 10,
  },
  ...(size === '100,000'
    ? []
    : [
        ratio(`${nameOf(size)}, against 100,000: CPU a target`, 'cpuUs', nameOf(size), nameOf('100,000'), {
          atMost: 1.05,
        }),
      ]),
]

export const scale: Scenario<Stage> = {
  name: 'scale',
  about:
    '`cancelpoint check --json RANGE > FILE` over ranges of 127/8 where nothing listens, from the start of the process to its end.\n' +
    'CANCELPOINT_FULL=1 adds ten million, which take minutes and gigabytes.',
  rounds: 3,
  columns: [
    { key: 'perSecond', title: 'targets', unit: '/s' },
    { key: 'cpuUs', title: 'CPU a target', unit: 'µs', digits: 1 },
    { key: 'peak', title: 'peak resident', unit: 'MiB' },
    { key: 'loop', title: 'loop delay, p99', unit: 'ms', digits: 1 },
    { key: 'longest', title: 'the longest', unit: 'ms', digits: 1 },
  ],
  figures: sizes(false).flatMap(figures),
  contestants: ({ quick }) => sizes(quick).map(contestant),
  open: async () => stageOf(await openRefusing()),
}

const contestant = (size: Size): Contestant<Stage> => ({
  name: nameOf(size),
  spawn: (stage, _, peers) => measure(ranges[size], stage, peers),
})

const command = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
const monitor = new URL('../setup/loop-delay.js', import.meta.url).href

async function measure(range: readonly string[], { port }: Stage, peers: Peers): Promise<Metrics> {
  const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-scale-'))
  const [results, usage, delay] = ['results.jsonl', 'usage.json', 'delay.json'].map((file) =>
    join(directory, file),
  ) as [string, string, string]
  const output = openSync(results, 'w')
  try {
    const check = [command, 'check', '--json', ...range.map((each) => `${each}:${port}`)]
    const child = spawn(await peers.path('rusage'), [usage, process.execPath, '--import', monitor, ...check], {
      env: { ...process.env, CANCELPOINT_LOOP_DELAY: delay },
      stdio: ['ignore', output, 'inherit'],
    })
    const [code] = await once(child, 'close')
    if (code !== 1) throw new Error(`every target is down, and the command ended with ${code}`)
    const { seconds, cpuSeconds, maxRssKib } = JSON.parse(readFileSync(usage, 'utf8'))
    const { p99, longest } = JSON.parse(readFileSync(delay, 'utf8'))
    const count = await linesOf(results)
    const cpuUs = (cpuSeconds * micro * micro) / count
    return { perSecond: count / seconds, cpuUs, peak: maxRssKib / 1_024, loop: p99, longest }
  } finally {
    closeSync(output)
    rmSync(directory, { recursive: true })
  }
}

async function linesOf(file: string): Promise<number> {
  let count = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++
  return count
}
