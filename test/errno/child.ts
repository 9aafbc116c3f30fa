/** Runs a script of this directory in a process of its own, which answers in JSON. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const scriptPath = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** `meddle` is given the child while it runs; what it returns ends that. */
export async function answerOf<T>(
  program: string,
  args: readonly string[],
  meddle: (child: ChildProcess) => () => void = () => () => {},
): Promise<T> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let answer = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    answer += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text
  })
  const stop = meddle(child)
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (code === 0) resolve()
        else reject(new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}:\n${complaint}`))
      })
    })
  } finally {
    stop()
  }
  return JSON.parse(answer)
}
