/** Listening to a caller's AbortSignal. */
import { addAbortListener } from 'node:events'

/**
 * Calls `listener` once, when the signal aborts, and also where a listener before it calls `stopImmediatePropagation()`.
 * The result stops that.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const listening = addAbortListener(signal, listener)
  return () => listening[Symbol.dispose]()
}
