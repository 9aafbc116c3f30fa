/** Runs a fixture in a process of its own, because it is to end in ways that a test would not survive. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Ended {
  /** 'killed' where it had to be: it did not end by itself. */
  signal: NodeJS.Signals | null | 'killed'
  code: number | null
  stdout: string
  stderr: string
}

/** Not a speed limit: a fixture that takes so long hangs. */
const patienceMs = 60_000

export async function runFixture(name: string, ...args: string[]): Promise<Ended> {
  const file = fileURLToPath(new URL(`../integration/fixtures/${name}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let killed = false
  const patience = setTimeout(() => {
    killed = child.kill('SIGKILL')
  }, patienceMs)
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text) => {
      output[stream] += text
    })
  }
  const [code, signal] = await once(child, 'close')
  clearTimeout(patience)
  return { code, signal: killed ? 'killed' : signal, ...output }
}
