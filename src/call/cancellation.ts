/**
 * AbortSignal to cancellation point. A signal has one listener, however many calls share it, and the last of them removes
 * it. A Cancellation belongs to one call. The signal, the deadline and the manager's close ask it for the call's end, of
 * which the first request counts; each step of the call that holds something joins it, and is told.
 */
import { onAbort } from '../bridge/abort-signal.js'
import { registry } from '../bridge/registry.js'
import { leaveUncaught, settleSoon } from '../bridge/settling.js'
import { Linked, List } from '../core/list.js'
import { abortError, lateAbortError } from '../errors/abort-error.js'

/** Calls that share a signal, and its only listener. */
class Fanout {
  readonly calls = new List<Listening>()
  readonly #signal: AbortSignal
  readonly #stopListening: () => void

  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.#stopListening = onAbort(signal, () => this.#abortAll())
    fanouts.set(signal, this)
  }

  leave(call: Listening): void {
    if (!this.calls.delete(call) || this.calls.size > 0) return
    this.#stopListening()
    fanouts.delete(this.#signal)
  }

  #abortAll(): void {
    // The signal has removed the listener by now. A call that leaves meanwhile finds no list to leave.
    fanouts.delete(this.#signal)
    const makeError = () => lateAbortError(this.#signal.reason)
    registry.batchCancels(() => {
      for (const { cancellation } of this.calls.toArray()) cancellation.request(makeError)
    })
  }
}

/** Cancellations that were requested, and whose steps have not been told yet. */
const untold: Cancellation[] = []
let isTelling = false

/**
 * Tells the steps of one Cancellation after the other. A step's cancel may run a caller's code (diagnostics subscribers,
 * abort listeners), which may ask for the end of other calls: this loop tells theirs too, so that no cancel is called from
 * within another, and native code hears of all of them at once.
 */
function tellSteps(): void {
  if (isTelling) return
  isTelling = true
  registry.batchCancels(() => {
    for (const cancellation of untold) cancellation.tell()
  })
  untold.length = 0
  isTelling = false
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

  /** What the call rejects with, the same each time. It is made late: thousands made in one turn would hold the loop. */
  error(): Error {
    this.#error ??= this.#make()
    return this.#error
  }

  /** A caller's `reason` may be a getter that throws, and the call has to reject all the same. */
  #make(): Error {
    try {
      return this.#makeError!()
    } catch (thrown) {
      return abortError(thrown)
    }
  }

  throwIfRequested(): void {
    if (this.requested) throw this.error()
  }

  /** Asks for the end of the call; only the first request counts. */
  request(error: () => Error): void {
    if (this.requested) return
    this.#makeError = error
    untold.push(this)
    tellSteps()
  }

  /** For tellSteps. */
  tell(): void {
    for (let step = this.#steps.shift(); step; step = this.#steps.shift()) {
      try {
        step.cancel()
      } catch (error) {
        leaveUncaught(error)
      }
    }
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

  /** Settles as `work` does, or with this cancellation's error, whichever is first: a caller's code may never settle. */
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
