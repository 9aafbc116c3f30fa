/** One listener of each of the lab's behaviours, in a process of its own, until the test file ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import type { Behaviour } from '#internal/lab/behaviours'

export type Targets = Record<Behaviour, string>

/** Filled before the file's first test, and before any hook that is declared after the call. */
export function useStations(): Targets {
  const targets = {} as Targets
  const child = spawn(process.execPath, [fileURLToPath(new URL('stations.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  beforeAll(async () => {
    const [line] = await once(child.stdout, 'data')
    Object.assign(targets, JSON.parse(String(line)))
  })
  afterAll(async () => {
    child.stdin.end()
    await once(child, 'exit')
  })
  return targets
}

export const portOf = (target: string): number => Number(target.split(':')[1])
