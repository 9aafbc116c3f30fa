/** Pulls targets as there is room, and holds their results until the consumer takes them. */
import type { Cancellation } from '../call/cancellation.js'
import * as limits from '../core/limits.js'
import { abortError } from '../errors/abort-error.js'
import type { CheckResult } from '../types.js'
import type { Checkable } from './planned-target.js'

/** Where targets come from. */
export type Supply = Iterable<Checkable> | AsyncIterable<Checkable>
type AnyIterator = Iterator<Checkable> | AsyncIterator<Checkable>

/** Checks one target. `done` is called once, later, with its results: none where the check was cancelled. */
export type Start = (target: Checkable, done: (results: readonly CheckResult[]) => void) => void

/** The targets in flight and the results that wait for the consumer. */
export class Pump {
  readonly #iterator: AnyIterator
  readonly #concurrency: number
  readonly #cancellation: Cancellation
  readonly #start: Start
  /** One for all: thousands wait for it. */
  readonly #finished = (results: readonly CheckResult[]) => this.#finish(results)
  #inFlight = 0
  #results: CheckResult[] = []
  /** Results on their way to the consumer, and how many of them are gone: two lists, so that neither grows for ever. */
  #leaving: CheckResult[] = []
  #taken = 0
  /** The source has ended or failed, and is owed no `return`. */
  #ended = false
  #pulling = false
  #closing = false
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(targets: Supply, concurrency = limits.checkConcurrency, cancellation: Cancellation, start: Start) {
    this.#concurrency = concurrency
    this.#cancellation = cancellation
    this.#start = start
    this.#iterator = Symbol.asyncIterator in targets ? targets[Symbol.asyncIterator]() : targets[Symbol.iterator]()
    cancellation.onRequest(() => this.#notify())
  }

  get finished(): boolean {
    return this.#ended && this.#inFlight === 0
  }

  /** Starts targets while there is room. A source that has to be waited for is asked for one at a time. */
  fill(): void {
    while (!this.#ended && !this.#pulling && !this.#cancellation.requested && this.#hasRoom()) this.#pull()
    if (this.#failure) throw this.#failure.error
  }

  #pull(): void {
    try {
      const next = this.#iterator.next()
      if (isThenable(next)) this.#await(next)
      else this.#accept(next)
    } catch (error) {
      this.#failed(error)
    }
  }

  #await(next: PromiseLike<IteratorResult<Checkable>>): void {
    this.#pulling = true
    Promise.resolve(next)
      .then((result) => this.#accept(result))
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#pulling = false
        this.#notify()
      })
  }

  /** The oldest result that was not taken. */
  take(): CheckResult | undefined {
    if (this.#taken === this.#leaving.length) {
      this.#leaving = this.#results
      this.#results = []
      this.#taken = 0
    }
    return this.#taken < this.#leaving.length ? this.#leaving[this.#taken++] : undefined
  }

  /** Resolves on the next result, target or cancel. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Cancels what is in flight and waits until it is released; lets the source of targets end. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#inFlight > 0) this.#cancellation.request(() => abortError(new Error('the check was left early')))
    while (this.#inFlight > 0) await this.changed()
    if (this.#ended) return
    const ended = (async () => this.#iterator.return?.())()
    // One that is being waited for may never answer: it is told, and not waited for.
    if (this.#pulling) ended.catch(() => {})
    else await ended
  }

  #hasRoom(): boolean {
    return this.#inFlight + this.#results.length + this.#leaving.length - this.#taken < this.#concurrency
  }

  #accept(next: IteratorResult<Checkable>): void {
    if (Object(next) !== next) throw new TypeError(`Iterator result ${String(next)} is not an object`)
    if (next.done) this.#ended = true
    else if (!this.#closing) {
      // Counted once it has begun: a defect in the beginning must not be waited for.
      this.#start(next.value, this.#finished)
      this.#inFlight++
    }
  }

  #failed(error: unknown): void {
    this.#ended = true
    this.#failure = { error }
  }

  #finish(results: readonly CheckResult[]): void {
    this.#inFlight--
    this.#results.push(...results)
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}
