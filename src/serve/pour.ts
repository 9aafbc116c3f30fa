/** Long answers, part by part: one part a turn of the event loop, no faster than the client reads. */
import { clearTimeout, setImmediate, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'

/** Of a response what is used. */
export interface Drain {
  readonly destroyed: boolean
  /** False where the client does not keep up: 'drain' says when it does again. */
  write(text: string): boolean
  end(): void
  destroy(): void
  once(event: 'drain' | 'close', listener: () => void): void
  off(event: 'drain' | 'close', listener: () => void): void
}

/** `parts`: what has been worked out in one go; '' where that has no text yet. Ends early where the client is gone. */
export async function pour(parts: Iterator<string>, response: Drain): Promise<void> {
  const deadline = setTimeout(() => response.destroy(), limits.serve.answerAtMostMs)
  try {
    while (!response.destroyed) {
      const { value, done } = parts.next()
      if (done) {
        response.end()
        return
      }
      if (value !== '' && !response.write(value)) await writable(response)
      await turn()
    }
  } finally {
    clearTimeout(deadline)
    parts.return?.()
  }
}

/** Until there is room again, or nobody reads any more: one who is too slow holds the place of another. */
function writable(response: Drain): Promise<void> {
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const stuck = setTimeout(() => response.destroy(), limits.serve.stuckAtMostMs)
    const go = () => {
      clearTimeout(stuck)
      response.off('drain', go)
      response.off('close', go)
      resolve()
    }
    response.once('drain', go)
    response.once('close', go)
  })
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
