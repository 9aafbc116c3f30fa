/** Standard output: written no faster than it is read, and given up quietly when its reader has left. */
import { once } from 'node:events'

export interface Output {
  /** Resolves once more may be written, or once there is nobody to write for. */
  write(text: string): Promise<void>
  /** Aborts when nothing can be written any longer; what is written after that goes nowhere. */
  readonly gone: AbortSignal
  /** Resolves once all is written or the reader has left (`| head`); rejects if writing failed in another way. */
  finish(): Promise<void>
}

export function standardOutput(): Output {
  const stream = process.stdout
  const gone = new AbortController()
  const until = { signal: gone.signal }
  stream.on('error', (error) => gone.abort(error))
  return {
    gone: gone.signal,
    async write(text) {
      if (gone.signal.aborted || stream.write(text)) return
      // Rejects only for `gone`, which is for finish() to tell.
      await once(stream, 'drain', until).catch(() => {})
    },
    async finish() {
      if (!gone.signal.aborted) await new Promise((resolve) => stream.write('', resolve))
      // A failed write calls back before its error is emitted.
      await new Promise(setImmediate)
      if (gone.signal.aborted && gone.signal.reason.code !== 'EPIPE') throw gone.signal.reason
    },
  }
}
