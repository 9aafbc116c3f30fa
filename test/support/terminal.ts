/** A program on a real pseudo-terminal of a given width, and what a person then sees on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import xterm from '@xterm/headless'

export interface Screen {
  /** All that was written, control sequences included. */
  raw: string
  /** The rows from the first to the last, those that have scrolled away included. */
  rows: string[]
  /** Rows that the terminal had to break, in the middle of whatever stood there. */
  broken: string[]
}

export interface Session {
  script: ChildProcess
  raw(): string
  ended: Promise<Screen>
}

export interface Size {
  columns: number
  env?: NodeJS.ProcessEnv
  /** What is typed; then the end of input, Ctrl-D. */
  input?: string
}

/** Runs a command line of sh under script(1), of util-linux, which opens the terminal. */
export function startOnTerminal(commandLine: string, { columns, env = {}, input = '' }: Size): Session {
  const line = `stty cols ${columns} rows 24 -echo; ${commandLine}`
  const script = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm-256color', NO_COLOR: '', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let raw = ''
  script.stdout!.setEncoding('utf8').on('data', (text) => {
    raw += text
  })
  script.stdin!.on('error', () => {})
  script.stdin!.end(input)
  const ended = new Promise<Screen>((resolve, reject) => {
    script.on('error', reject)
    script.on('close', () => resolve(seen(raw, columns)))
  })
  return { script, raw: () => raw, ended }
}

async function seen(raw: string, columns: number): Promise<Screen> {
  const terminal = new xterm.Terminal({ cols: columns, rows: 24, scrollback: 10_000, allowProposedApi: true })
  await new Promise<void>((resolve) => terminal.write(raw, resolve))
  const { active } = terminal.buffer
  const lines = Array.from({ length: active.length }, (_, index) => active.getLine(index)!)
  const text = (line: (typeof lines)[number]) => line.translateToString(true)
  const screen = { raw, rows: lines.map(text), broken: lines.filter(({ isWrapped }) => isWrapped).map(text) }
  while (screen.rows.at(-1) === '') screen.rows.pop()
  terminal.dispose()
  return screen
}
