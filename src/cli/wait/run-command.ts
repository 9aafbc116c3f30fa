/**
 * Runs a command in this process's place, as far as Node.js can do that: it has the same standard input, output and error,
 * environment and process group; signals that are sent to this process are passed on; its exit code is ours. No shell.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'

import { printable } from '../../core/text.js'
import { exitCodes } from '../exit-code.js'
import { interrupted, stopListening } from '../interrupt.js'
import { messages } from '../progress.js'

const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const
/** Those that a terminal sends, to every process of its foreground group. */
const ofTerminals: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH'])

/** Resolves to the exit code once the command has ended. A signal that came before it ran keeps it from running. */
export function runCommand([file = '', ...args]: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined
  // These stand before those that cancel are taken away: no signal falls between the two, nor between here and the spawn.
  for (const signal of passedOn) process.on(signal, () => child && passOn(signal, child))
  stopListening()
  if (interrupted.aborted) return Promise.resolve(exitCodes.interrupted)
  return new Promise((resolve) => {
    try {
      child = spawn(file, args, { stdio: 'inherit' })
    } catch (error) {
      resolve(cannotRun(file, error as NodeJS.ErrnoException))
      return
    }
    child.on('error', (error) => {
      // A signal that could not be sent, to a command that has other rights, is an error too: the command runs on.
      if (child!.pid === undefined) resolve(cannotRun(file, error))
    })
    child.on('exit', (code, signal) => resolve(code ?? exitCodes.signalled + constants.signals[signal!]))
  })
}

function passOn(signal: NodeJS.Signals, child: ChildProcess): void {
  if (ofTerminals.has(signal) && inForeground(process.pid) && inForeground(child.pid!)) return
  child.kill(signal)
}

/**
 * Whether the process is in the foreground group of its terminal: Ctrl-C has then reached it already, and many programs take a
 * second one for the wish to be killed. A command that has a group or a session of its own has not been told.
 */
function inForeground(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc_pid_stat(5). The name before these may have spaces and brackets.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === foreground
  } catch {
    return false
  }
}

/** As shells have it: 127 for a command that does not exist, 126 for one that cannot be run. */
function cannotRun(file: string, { code = '', message }: NodeJS.ErrnoException): number {
  const missing = code === 'ENOENT' && !(file.includes('/') && existsSync(file))
  const why = missing ? 'no such command' : (reasons[code] ?? message)
  messages.note(printable(`cancelpoint: ${file} cannot be run: ${why}`))
  return missing ? exitCodes.notFound : exitCodes.notExecutable
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'the interpreter that it names does not exist',
  EACCES: 'it is not executable, or is a directory',
  E2BIG: 'its arguments and the environment are too long',
}
