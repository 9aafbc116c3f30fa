/** Standard output and standard error: written no faster than they are read, and given up quietly when their reader has left. */
import { once } from 'node:events'
import { getSystemErrorMap } from 'node:util'

import { UsageError } from './exit-code.js'
import { interrupted } from './interrupt.js'

export interface Output {
  /** Resolves once more may be written, or once there is nobody to write for. */
  write(text: string): Promise<void>
  /** Aborts when nothing can be written any longer; what is written after that goes nowhere. */
  readonly gone: AbortSignal
  /** Resolves once all is written or the reader has left (`| head`); rejects if writing failed in another way. */
  finish(): Promise<void>
}

/** An interrupted command that waits for a reader for so long says so. Milliseconds. */
const patience = 1_000

export function standardOutput(): Output {
  const output = outputTo(process.stdout)
  const say = () => {
    if (!output.waits) return
    const what = 'interrupted, and waits for standard output to be read. A second signal ends it at once.'
    process.stderr.write(`cancelpoint: ${what}\n`)
  }
  interrupted.addEventListener('abort', () => setTimeout(say, patience).unref(), { once: true })
  return output
}

/** What is said beside the results: where nobody can hear it, it ends nothing. */
export const standardError = (): Output => outputTo(process.stderr)

function outputTo(stream: NodeJS.WriteStream): Output & { readonly waits: boolean } {
  const gone = new AbortController()
  const until = { signal: gone.signal }
  let waiting = 0
  const waited = async (what: Promise<unknown>) => {
    waiting += 1
    // Rejects only for `gone`, which is for finish() to tell.
    await what.catch(() => {})
    waiting -= 1
  }
  stream.on('error', (error) => gone.abort(error))
  return {
    gone: gone.signal,
    get waits() {
      return waiting > 0
    },
    async write(text) {
      if (gone.signal.aborted || stream.write(text)) return
      await waited(once(stream, 'drain', until))
    },
    async finish() {
      if (!gone.signal.aborted) await waited(new Promise((resolve) => stream.write('', resolve)))
      // A failed write calls back before its error is emitted.
      await new Promise(setImmediate)
      if (gone.signal.aborted && gone.signal.reason.code !== 'EPIPE') throw failureOf(gone.signal.reason)
    },
  }
}

function failureOf({ errno, code, message }: NodeJS.ErrnoException): Error {
  const means = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]
  return new UsageError(`standard output cannot be written: ${means ? `${means} (${code})` : message}`)
}
