/**
 * AbortSignal to cancellation point. One listener a signal, however many calls share it, removed with the last of
 * them. A Cancellation is one call's: whatever ends the call (the signal, the deadline, the manager's close) asks
 * here, first come first served, and each step of the call that holds something listens.
 */
import { batchCancels, settleSoon } from '../bridge/registry.js'
import { Linked, List } from '../core/list.js'
import { abortError, lateAbortError } from '../errors/errors.js'

/** Calls that share a signal, and its only listener. */
class Fanout {
  readonly calls = new List<Listening>()
  readonly #signal: AbortSignal
  readonly #listener = () => this.#abortAll()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    fanouts.set(signal, this)
    signal.addEventListener('abort', this.#listener, { once: true })
  }

  leave(call: Listening): void {
    if (!this.calls.delete(call) || this.calls.size > 0) return
    this.#signal.removeEventListener('abort', this.#listener)
    fanouts.delete(this.#signal)
  }

  #abortAll(): void {
    // Node has removed the listener by now. Those that let go meanwhile find their list gone.
    fanouts.delete(this.#signal)
    const makeError = () => lateAbortError(this.#signal.reason)
    batchCancels(() => {
      for (const { cancellation } of this.calls.toArray()) cancellation.request(makeError)
    })
  }
}

const fanouts = new WeakMap<AbortSignal, Fanout>()

/** A call's place among those that share its signal. */
class Listening extends Linked {
  readonly cancellation: Cancellation
  readonly #fanout: Fanout

  constructor(signal: AbortSignal, cancellation: Cancellation) {
    super()
    this.cancellation = cancellation
    this.#fanout = fanouts.get(signal) ?? new Fanout(signal)
    this.#fanout.calls.add(this)
  }

  stop(): void {
    this.#fanout.leave(this)
  }
}

/** What a call holds, and how that is asked to end. */
export interface Cancellable extends Linked {
  cancel(): void
}

class Step extends Linked implements Cancellable {
  readonly cancel: () => void

  constructor(cancel: () => void) {
    super()
    this.cancel = cancel
  }
}

export class Cancellation extends Linked {
  #makeError: (() => Error) | undefined
  #error: Error | undefined
  readonly #steps = new List<Cancellable>()
  #listening: Listening | undefined
  #controller: AbortController | undefined

  constructor(signal?: AbortSignal) {
    super()
    if (signal?.aborted) this.request(() => abortError(signal.reason))
    else if (signal) this.#listening = new Listening(signal, this)
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
    for (let step = this.#steps.shift(); step; step = this.#steps.shift()) step.cancel()
    this.#controller?.abort()
    this.end()
  }

  /** Cancels `step` when the end is asked for, at once if it was, unless it leaves before. */
  join(step: Cancellable): void {
    if (this.requested) step.cancel()
    else this.#steps.add(step)
  }

  leave(step: Cancellable): void {
    this.#steps.delete(step)
  }

  /** The same for a function. The result stops that. */
  onRequest(cancel: () => void): () => void {
    const step = new Step(cancel)
    this.join(step)
    return () => this.leave(step)
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
    this.#listening?.stop()
    this.#listening = undefined
  }
}
