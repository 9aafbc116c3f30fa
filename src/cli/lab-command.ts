/** `cancelpoint lab`: keeps the fleet up for other programs to connect to. */
import { once } from 'node:events'
import { createWriteStream, openSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Command } from 'commander'

import { labTargetsAtMost } from '../core/limits.js'
import { countUpTo } from './arguments.js'
import { interrupted } from './interrupt.js'

const defaultTargets = 24

export function addLabCommand(program: Command): void {
  program
    .command('lab')
    .summary('start the embedded fleet and print its targets')
    .description(
      'Starts listeners on loopback that accept, refuse, hang or stall, prints one target a line with its\n' +
        'behaviour in a comment, and keeps them up until Ctrl-C. Nobody outside this machine reaches them.',
    )
    .option('--targets <n>', 'how many', countUpTo(labTargetsAtMost), defaultTargets)
    .addHelpText(
      'after',
      '\nExamples:\n  $ cancelpoint lab --targets 100 > targets.txt &\n  $ cancelpoint check --file targets.txt\n',
    )
    .action(runLab)
}

async function runLab(options: { targets: number }): Promise<void> {
  const { startFleet } = await import('../lab/fleet.js')
  await using fleet = await startFleet({ targets: options.targets })
  const lines = fleet.targets.map(({ target, behaviour }) => `${target} # ${behaviour}\n`)
  await printAndEnd(lines)
  console.error(
    lines.length === 1 ? '1 target is up. Ctrl-C ends it.' : `${lines.length} targets are up. Ctrl-C ends them.`,
  )
  if (!interrupted.aborted) await once(interrupted, 'abort')
}

/** Standard output is closed after the last line, so that a program which reads the targets from a pipe sees their end. */
async function printAndEnd(lines: readonly string[]): Promise<void> {
  const output = createWriteStream('', { fd: 1 })
  output.end(lines.join(''))
  try {
    await finished(output)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  }
  // Keeps the number from going to a socket that something later would write to as standard output.
  openSync('/dev/null', 'w')
}
