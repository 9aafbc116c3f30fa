/** A watch whose own process is stopped, starved, blocked or out of descriptors: not one target changes for it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { WatchSummary } from 'cancelpoint'
import { expect, it, onTestFinished } from 'vitest'
import { useStations } from '../support/stations.js'

const stations = useStations()
const watcher = fileURLToPath(new URL('../support/watcher.mjs', import.meta.url))
const isFull = Boolean(process.env.CANCELPOINT_FULL)

/** 300 targets: most accept, some refuse, some hang. All of 127/8 is the listeners'. */
const targets = (): string[] =>
  Array.from({ length: 300 }, (_, i) => {
    const station = i % 10 === 0 ? stations.hang : i % 5 === 0 ? stations.refuse : stations.accept
    return `127.0.${1 + (i >> 7)}.${1 + (i & 127)}:${station.split(':')[1]}`
  })

class Watcher {
  readonly changes: { target: string; from: string; to: string; code?: string }[] = []
  readonly child: ChildProcess
  readonly #lines: Interface
  #summaries: WatchSummary[] = []

  constructor(before: readonly string[]) {
    const options = { intervalMs: 500, timeoutMs: 800, fall: 1, rise: 1 }
    const args = [watcher, JSON.stringify({ targets: targets(), options })]
    const [command, ...rest] = [...before, process.execPath, ...args]
    this.child = spawn(command!, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.child.stdout! })
    this.#lines.on('line', (line) => {
      const { change, summary } = JSON.parse(line)
      if (change) this.changes.push(change)
      else this.#summaries.push(summary)
    })
  }

  async ask(line = 'summary'): Promise<WatchSummary> {
    this.child.stdin!.write(`${line}\n`)
    for (;;) {
      const summary = this.#summaries.shift()
      if (summary) return summary
      await once(this.#lines, 'line')
    }
  }

  async end(): Promise<void> {
    this.child.stdin!.end()
    await once(this.child, 'exit')
  }
}

it.each<[string, readonly string[], (watcher: Watcher) => Promise<unknown>, boolean]>([
  [
    'stopped and continued',
    [],
    async ({ child }) => {
      child.kill('SIGSTOP')
      await wait(isFull ? 30_000 : 3_000)
      child.kill('SIGCONT')
    },
    true,
  ],
  ['blocked', [], (watching) => watching.ask('block'), true],
  [
    'starved of CPU',
    [],
    async () => {
      const hogs = Array.from({ length: 16 }, () => spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }))
      await wait(3_000)
      for (const hog of hogs) hog.kill('SIGKILL')
    },
    false,
  ],
  ['short of descriptors', ['sh', '-c', 'ulimit -n 64 && exec "$0" "$@"'], () => wait(3_000), false],
])(
  '%s: no change that is none',
  async (_, before, happen, freezes) => {
    const watching = new Watcher(before)
    onTestFinished(() => void watching.child.kill('SIGKILL'))
    // As the fleet is, once its first results are in.
    const settled = { up: 240, down: 60, unknown: 0 }
    await expect.poll(() => watching.ask(), { timeout: 30_000, interval: 200 }).toMatchObject(settled)
    const known = watching.changes.length
    expect(watching.changes.every(({ from }) => from === 'unknown')).toBe(true)
    await happen(watching)
    const summary = await watching.ask()
    if (freezes) expect(summary).toMatchObject({ frozen: true, frozenWhy: expect.any(String) })
    expect(summary).toMatchObject(settled)
    // It judges again, and still nothing has changed.
    await expect.poll(async () => (await watching.ask()).frozen, { timeout: 30_000, interval: 200 }).toBe(false)
    await wait(1_000)
    expect(await watching.ask()).toMatchObject(settled)
    expect(watching.changes.slice(known)).toEqual([])
    await watching.end()
  },
  120_000,
)
