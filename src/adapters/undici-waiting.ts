/**
 * Which request waits for which connect. undici tells a connector nothing of the requests that wait for it, but it reads a
 * request's options as a client takes the request, and starts the connect that this needs right then: so that request owns
 * the connect. Others of its origin may come to wait for it as well. A connect is cancelled once its owner is gone and
 * every request that still waits at the origin has a connect of its own. One that undici starts at another time, to
 * reconnect, has no owner and is left alone.
 */
import type { EventEmitter } from 'node:events'
import type { Dispatcher } from 'undici'

import { Cancellation } from '../call/cancellation.js'
import { isObject, kind } from '../core/kinds.js'
import { abortError, lateAbortError } from '../errors/abort-error.js'
import { signalKind } from '../options.js'

/** What undici takes for a signal: an AbortSignal, or an emitter of 'abort'. */
export type Signal = AbortSignal | EventEmitter

export const eventOrSignalKind = kind("an AbortSignal, or an EventEmitter of 'abort'", (value) => {
  return signalKind.allows(value) || isEmitter(value)
})

const isEmitter = (value: unknown): value is EventEmitter =>
  isObject(value) && typeof value.once === 'function' && typeof value.off === 'function'

/** Calls `aborted` once; at once where the signal has aborted. The result stops that. */
function whenAborted(signal: Signal, aborted: () => void): () => void {
  if (!('addEventListener' in signal)) {
    signal.once('abort', aborted)
    return () => signal.off('abort', aborted)
  }
  const cancellation = new Cancellation(signal)
  cancellation.onRequest(aborted)
  return () => cancellation.end()
}

const hasAborted = (signal: Signal): boolean => 'aborted' in signal && signal.aborted

/** What the request fails with. undici would take a reason such as null for no failure at all. */
function reasonOf(signal: Signal): Error {
  const { reason } = signal as Partial<AbortSignal>
  return reason || abortError(reason)
}

interface Origin {
  waiting: Set<WaitingRequest>
  /** Requests that undici has neither started nor failed; some have ended by their signal. */
  inLine: number
  /** Those under way that have an owner, and their owners. */
  connects: Map<Cancellation, WaitingRequest>
}

export interface Connecting {
  cancellation: Cancellation
  /** Of a connect that nobody needed: the request that came to need it while it was being cancelled. */
  end(): WaitingRequest | undefined
}

type Handler = Dispatcher.DispatchHandler

export class WaitingRequests {
  readonly #origins = new Map<string, Origin>()
  /** The one that a client takes at the moment. */
  #taken: WaitingRequest | undefined

  /** Dispatches a request that any of its signals can end while it waits. */
  dispatch(
    dispatch: Dispatcher.Dispatch,
    options: Dispatcher.DispatchOptions,
    handler: Handler,
    given: readonly (Signal | undefined)[],
  ): boolean {
    // Composed twice with no other signal: the outer one has seen to it.
    const watched = handler instanceof WaitingRequest ? handler.signals : []
    const signals = [...new Set(given)].filter((each) => each !== undefined && each !== null) as Signal[]
    const fresh = signals.filter((each) => !watched.includes(each))
    if (handler instanceof WaitingRequest && fresh.length === 0) return dispatch(options, handler)
    const aborted = fresh.find(hasAborted)
    if (aborted) {
      handler.onResponseError?.(undefined as never, reasonOf(aborted))
      return true
    }
    const request = new WaitingRequest(handler, this.#origin(String(options.origin ?? '')), signals)
    const take = () => {
      this.#take(request)
      return options.path
    }
    return dispatch(Object.defineProperty({ ...options }, 'path', { get: take, enumerable: true }), request)
  }

  /** Starts the account of a connect, for the request that is taken at the moment or for one that needs it again. */
  connecting(signal: AbortSignal | undefined, again?: WaitingRequest): Connecting {
    const cancellation = new Cancellation(signal)
    const owner = again ?? this.#taken
    const disown = owner?.own(cancellation, again !== undefined)
    return {
      cancellation,
      end() {
        cancellation.end()
        disown?.()
        const inNeed = cancellation.requested && !signal?.aborted ? owner?.inNeed() : undefined
        if (inNeed) owner!.endAborted()
        return inNeed
      },
    }
  }

  /** undici connects at once, or in a microtask where a body of unknown length may yet turn out to be complete. */
  #take(request: WaitingRequest): void {
    this.#taken = request
    void Promise.resolve().then(() => {
      this.#taken = request
      void Promise.resolve().then(() => {
        if (this.#taken === request) this.#taken = undefined
      })
    })
  }

  #origin(name: string): Origin {
    const known = this.#origins.get(name)
    if (known) return known
    for (const [other, { inLine, connects }] of this.#origins)
      if (inLine === 0 && connects.size === 0) this.#origins.delete(other)
    const origin = { waiting: new Set<WaitingRequest>(), inLine: 0, connects: new Map() }
    this.#origins.set(name, origin)
    return origin
  }
}

/** A request on its way through undici: it waits until undici starts it, and hands on all that comes until it has ended. */
class WaitingRequest implements Handler {
  readonly #origin: Origin
  #connect: Cancellation | undefined
  readonly #handler: Handler
  readonly signals: readonly Signal[]
  readonly #stops: (() => void)[]
  /** What it was aborted with. */
  #reason: Error | undefined
  /** `#connect` is its own client's. */
  #served = false
  #inLine = true
  #ended = false

  constructor(handler: Handler, origin: Origin, signals: readonly Signal[]) {
    this.#handler = handler
    this.#origin = origin
    this.signals = signals
    origin.waiting.add(this)
    origin.inLine += 1
    this.#stops = signals.map((signal) => whenAborted(signal, () => this.#abort(signal)))
  }

  /** Its connect is released first, where it can go; then undici fails the request, and that is what it ends by. */
  #abort(signal: Signal): void {
    this.#reason ??= reasonOf(signal)
    this.#leave()
    if (!this.#connect?.requested) this.endAborted()
  }

  /** There is nothing to wait for, or undici will not come to fail it. */
  endAborted(): void {
    if (!this.#ended && this.#reason) this.#end(undefined as never, this.#reason)
  }

  /**
   * The connect is this request's, which it may have been dispatched for though it has ended. One that was started again
   * for it may turn out to be another client's, and so does not make it need no other. The result ends that.
   */
  own(connect: Cancellation, again: boolean): (() => void) | undefined {
    const { waiting, connects } = this.#origin
    if (this.#served || !(this.#ended || waiting.has(this))) return undefined
    this.#connect = connect
    this.#served = !again
    connects.set(connect, this)
    this.#cancelNeedless()
    return () => {
      connects.delete(connect)
      if (this.#connect !== connect) return
      this.#connect = undefined
      this.#served = false
    }
  }

  /** One of its origin that waits, and has no connect that is surely its own. */
  inNeed(): WaitingRequest | undefined {
    for (const request of this.#origin.waiting) if (!request.#served) return request
    return undefined
  }

  #leave(): void {
    for (const stop of this.#stops) stop()
    if (this.#origin.waiting.delete(this)) this.#cancelNeedless()
  }

  /** undici has started or failed it. */
  #outOfLine(): void {
    if (this.#inLine) this.#origin.inLine -= 1
    this.#inLine = false
    this.#leave()
  }

  #cancelNeedless(): void {
    const { waiting, connects } = this.#origin
    if (this.inNeed()) return
    for (const [connect, owner] of connects)
      if (!waiting.has(owner)) connect.request(() => lateAbortError(owner.#reason))
  }

  #end(controller: Dispatcher.DispatchController, error: Error): void {
    this.#ended = true
    this.#handler.onResponseError?.(controller, error)
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#outOfLine()
    // undici kept it in line though it was aborted: it is never sent.
    if (this.#ended) controller.abort(this.#reason!)
    else this.#handler.onRequestStart?.(controller, context)
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#outOfLine()
    if (!this.#ended) this.#end(controller, this.#reason ?? error)
  }

  onRequestUpgrade(...event: Parameters<NonNullable<Handler['onRequestUpgrade']>>): void {
    this.#handler.onRequestUpgrade?.(...event)
  }

  onResponseStart(...event: Parameters<NonNullable<Handler['onResponseStart']>>): void {
    this.#handler.onResponseStart?.(...event)
  }

  onResponseData(...event: Parameters<NonNullable<Handler['onResponseData']>>): void {
    this.#handler.onResponseData?.(...event)
  }

  onResponseEnd(...event: Parameters<NonNullable<Handler['onResponseEnd']>>): void {
    this.#handler.onResponseEnd?.(...event)
  }
}
