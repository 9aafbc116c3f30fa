/** How a process of the command ends when something has gone wrong: one sentence on standard error, and exit code 2. */
import { printable } from '../core/text.js'
import { exitCodes, isForNagios, nagiosCodes } from './exit-code.js'
import { outliveTerminals } from './hangup.js'
import { interrupted } from './interrupt.js'

let shaped = (text: string): string => text

/** How sentences come to fit the terminal. It is given, not imported: this module loads nothing that could fail. */
export function shapeWith(shape: (text: string) => string): void {
  shaped = shape
}

/** Also for what nobody catches, which Node.js would tell with exit code 1: `check` says with it that a target is not up. */
export function failuresOf(program: string): (error: unknown) => void {
  const fail = (error: unknown) => {
    const text = explained(error)
    console.error(shaped(`${program}: ${text}`))
    if (isForNagios()) failNagios(text)
    else process.exitCode = interrupted.aborted ? exitCodes.interrupted : exitCodes.bad
  }
  outliveTerminals()
  // What is said beside the results ends nothing where nobody can hear it: a full disk, a reader that has left.
  process.stderr.on('error', () => {})
  process.on('uncaughtException', (error) => {
    fail(error)
    // What it leaves open, at a place that is not known, would keep the process alive.
    process.exit()
  })
  return fail
}

/** Characters. */
const lineAtMost = 300

/** Nagios shows the first line of standard output alone, and takes exit code 2 for the target's. */
export function failNagios(text: string): void {
  const line = printable(text.split('\n', 1)[0]!.slice(0, lineAtMost)).replaceAll('|', '\\u007c')
  if (process.stdout.writable) process.stdout.write(`CANCELPOINT UNKNOWN - ${line}\n`)
  process.exitCode = nagiosCodes.unknown
}

/**
 * A stack is for defects: not for what the person typed, nor for a system call that failed (a full disk, no descriptors), nor
 * for an addon that is missing or may not be loaded.
 */
function explained(error: unknown): string {
  const { name, code, syscall, message, stack } = Object(error) as NodeJS.ErrnoException
  const known = ownWords.has(name) || syscall !== undefined || /^(E[A-Z0-9]+|ERR_DLOPEN_\w+)$/.test(code ?? '')
  if (!known && !message?.startsWith('No native build was found')) return stack ?? message ?? String(error)
  return message.split('\n', 1)[0]!.replace(/^cancelpoint: /, '')
}

const ownWords = new Set(['UsageError', 'AddonError'])
