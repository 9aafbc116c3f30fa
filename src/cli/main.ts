#!/usr/bin/env node
/** The command: argv to calls. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'

import { addBenchCommand } from './bench-command.js'
import { addCheckCommand } from './check-command.js'
import { addErrnoCommand } from './errno-command.js'
import { exitCodes, UsageError } from './exit-code.js'
import { addLabCommand } from './lab-command.js'
import { standardOutput } from './output.js'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

// What is said beside the results ends nothing where nobody can hear it: a full disk, a reader that has left.
process.stderr.on('error', () => {})

const program = new Command('cancelpoint')
  .description('Connects that can be cancelled, with everything they held released: connect(2) on native threads.')
  .version(version)
  // Before the commands: they inherit it.
  .exitOverride()
  .configureOutput({ writeOut: (text) => void standardOutput().write(text) })
  .showHelpAfterError('(--help says more)')
addCheckCommand(program)
addBenchCommand(program)
addErrnoCommand(program)
addLabCommand(program)
program.addHelpText(
  'after',
  '\nExamples:\n  $ cancelpoint check --lab\n  $ cancelpoint check example.com:443 10.0.0.0/28:22\n  $ cancelpoint errno ECONNREFUSED\n',
)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said it already; --help and --version come this way too.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.bad
  } else {
    console.error(`cancelpoint: ${explained(error as NodeJS.ErrnoException)}`)
    process.exitCode = exitCodes.bad
  }
}

/** A stack is for defects: not for what the person typed, nor for a system call that failed (a full disk). */
function explained(error: NodeJS.ErrnoException): string | undefined {
  return error instanceof UsageError || error.syscall !== undefined ? error.message : error.stack
}
