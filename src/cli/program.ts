/** argv to commands. What a command stands on is loaded when it runs: `--help` and `errno` need no addon. */
import { Command, CommanderError } from 'commander'

import { printableLines } from '../core/text.js'
import { addBenchCommand } from './bench-command.js'
import { addCheckCommand } from './check-command.js'
import { addErrnoCommand } from './errno-command.js'
import { exitCodes, isForNagios } from './exit-code.js'
import { failNagios, shapeWith } from './failure.js'
import { addLabCommand } from './lab-command.js'
import { standardOutput } from './output.js'
import { columnsOf, wrapped } from './table.js'
import { versionOfPackage } from './version.js'
import { addWaitCommand } from './wait/wait-command.js'
import { addWatchCommand } from './watch/watch-command.js'

const examples = `
Examples:
  $ cancelpoint check --lab
  $ cancelpoint check example.com:443 10.0.0.0/28:22
  $ cancelpoint wait db:5432 redis:6379 -- npm start
  $ cancelpoint errno ECONNREFUSED
`

/** Columns. Commander's own is 40, and so it leaves a narrow terminal to break the lines, inside words. */
const minWidthToWrap = 20

/** What was typed may hold anything. */
const forTerminal = (text: string): string => wrapped(printableLines(text), columnsOf(process.stderr), '  ')

export async function runProgram(): Promise<void> {
  shapeWith(forTerminal)
  const program = new Command('cancelpoint')
    .description('Connects that can be cancelled, with everything they held released: connect(2) on native threads.')
    .version(versionOfPackage())
    // Before the commands: they inherit it.
    .exitOverride()
    .configureOutput({
      // What commander leaves too long for a narrow terminal.
      writeOut: (text) => void standardOutput().write(wrapped(text, columnsOf(process.stdout), '    ')),
      writeErr: (text) => void process.stderr.write(forTerminal(text)),
    })
    .configureHelp({ minWidthToWrap })
    .showHelpAfterError('(--help says more)')
  addCheckCommand(program)
  addWaitCommand(program)
  addWatchCommand(program)
  addBenchCommand(program)
  addErrnoCommand(program)
  addLabCommand(program)
  program.addHelpText('after', examples)
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has said it already; --help and --version come this way too.
    if (error.exitCode !== 0 && isForNagios()) failNagios(error.message.replace(/^error: /, ''))
    else process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.bad
  }
}
