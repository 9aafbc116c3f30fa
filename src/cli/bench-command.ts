/** `cancelpoint bench`: the benchmark, in a process of its own that may collect garbage on request. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'

import { exitCodes } from './exit-code.js'
import { interrupted } from './interrupt.js'

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url))

/** Options are the benchmark's own: bench/main.ts. */
export function addBenchCommand(program: Command): void {
  program
    .command('bench')
    .summary('measure connects and their cancellation beside net.connect and bare C')
    .argument('[options...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(runBench)
}

async function runBench(options: readonly string[]): Promise<void> {
  if (interrupted.aborted) {
    process.exitCode = exitCodes.interrupted
    return
  }
  const child = spawn(process.execPath, [...process.execArgv, '--expose-gc', main, ...options], { stdio: 'inherit' })
  // Ctrl-C reaches the benchmark by the terminal; this waits for it to end.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => child.kill(signal))
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? exitCodes.interrupted
}
