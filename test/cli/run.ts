/** Runs the built command as a user would. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const bin = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

export interface Run {
  child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves when standard output has matched. */
  until(pattern: RegExp): Promise<void>
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
}

/** Starts it with `input` on standard input; without one, standard input stays open and silent. */
export function start(args: string[], input?: string, env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  if (input !== undefined) child.stdin.end(input)
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  const until = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(stdout) && resolve()
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`ended before ${pattern}:\n${stdout}\n${stderr}`)))
      look()
    })
  return { child, stdout: () => stdout, stderr: () => stderr, until, ended }
}

/** Runs it to its end. */
export const run = (args: string[], input?: string, env?: NodeJS.ProcessEnv): Run['ended'] =>
  start(args, input, env).ended
