/**
 * Node.js opens a module's imports side by side, each a file. Where this process may have few descriptors open (`ulimit -n 64`),
 * they are loaded one after the other, from the lowest layer up, so that what is left to load has little to open at once.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Node's own, and the imports of the widest module with theirs. */
const enough = 256

/** In the order in which they import each other. */
const layers = ['core', 'errors', 'bridge', 'engines', 'names', 'call', 'check', 'cli/input', 'cli']

export async function loadModules(): Promise<void> {
  if (softLimit() >= enough) return
  for (const layer of layers) {
    const folder = new URL(`../${layer}/`, import.meta.url)
    for (const file of readdirSync(folder)) {
      // What cannot be loaded is told by who needs it.
      if (/(?<!main|demo)\.js$/.test(file)) await import(new URL(file, folder).href).catch(() => {})
    }
  }
}

/** Infinity where /proc does not tell it. */
function softLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Number(soft ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
