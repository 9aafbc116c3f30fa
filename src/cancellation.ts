/**
 * AbortSignal to cancellation point. One listener a signal, however many calls share it, removed with the last of
 * them. A Cancellation is one call's: whatever ends the call (the signal, the deadline, the manager's close) asks
 * here, first come first served, and each step of the call that holds something listens.
 */
import { batchCancels, settleSoon } from './attempts.js'
import { abortError, lateAbortError } from './errors.js'

/** Calls that share a signal, and its only listener. */
interface Fanout {
  calls: Set<Cancellation>
  listener: () => void
}

const fanouts = new WeakMap<AbortSignal, Fanout>()

/** Requests the call's end when the signal aborts. The result stops that; the last one removes the signal's only listener. */
function onAbort(signal: AbortSignal, call: Cancellation): () => void {
  let fanout = fanouts.get(signal)
  if (!fanout) {
    fanout = { calls: new Set(), listener: () => abortAll(signal) }
    fanouts.set(signal, fanout)
    signal.addEventListener('abort', fanout.listener, { once: true })
  }
  const { calls, listener } = fanout
  calls.add(call)
  return () => {
    if (!calls.delete(call) || calls.size > 0) return
    signal.removeEventListener('abort', listener)
    fanouts.delete(signal)
  }
}

function abortAll(signal: AbortSignal): void {
  const { calls } = fanouts.get(signal)!
  const aborted = [...calls]
  // Node has removed the listener by now, and nobody needs to let go any more.
  calls.clear()
  fanouts.delete(signal)
  batchCancels(() => {
    for (const call of aborted) call.request(() => lateAbortError(signal.reason))
  })
}

export class Cancellation {
  #makeError: (() => Error) | undefined
  #error: Error | undefined
  #steps = new Set<() => void>()
  #stop: (() => void) | undefined
  #controller: AbortController | undefined

  constructor(signal?: AbortSignal) {
    if (signal?.aborted) this.request(() => abortError(signal.reason))
    else if (signal) this.#stop = onAbort(signal, this)
  }

  get requested(): boolean {
    return this.#makeError !== undefined
  }

  /** What the call rejects with, one and the same. Made late: thousands made in one turn would hold it. */
  error(): Error {
    this.#error ??= this.#makeError!()
    return this.#error
  }

  throwIfRequested(): void {
    if (this.requested) throw this.error()
  }

  /** Asks for the end of the call; only the first request counts. */
  request(error: () => Error): void {
    if (this.requested) return
    this.#makeError = error
    for (const step of [...this.#steps]) step()
    this.#controller?.abort()
    this.end()
  }

  /** Calls `step` when the end is asked for, at once if it was. The result stops that. */
  onRequest(step: () => void): () => void {
    if (this.requested) step()
    else this.#steps.add(step)
    return () => this.#steps.delete(step)
  }

  /** What `work` comes to, or this cancellation's error without waiting for it: for callers' code, which may never settle. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.onRequest(() => settleSoon(() => reject(this.error())))
      Promise.resolve(work).then(resolve, reject).finally(stop)
    })
  }

  /** For what takes a signal: resolvers and lookups. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.requested) this.#controller.abort()
    return this.#controller.signal
  }

  /** The call is over: the caller's signal is let go. */
  end(): void {
    this.#stop?.()
    this.#stop = undefined
  }
}
