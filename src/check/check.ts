/**
 * The health check: connect, record, close. Targets are pulled only as there is room, results yielded as they come;
 * what is in flight and what the consumer has not yet taken never exceed the concurrency together.
 */
import { settleSoon } from '../bridge/settling.js'
import type { Cancellation } from '../call/cancellation.js'
import type { Call } from '../call/connect.js'
import type { Gate } from '../call/gate.js'
import type { Supervision } from '../call/supervisor.js'
import { hostOf } from '../core/endpoint.js'
import * as limits from '../core/limits.js'
import type { Engine } from '../engines/engine.js'
import { abortError } from '../errors/errors.js'
import type { CheckOptions, CheckResult, ConnectOptions, Target } from '../types.js'
import { checkTarget, readTarget, standInLine } from './check-target.js'

export interface CheckContext {
  engine: Engine
  supervision: Supervision
  /** Where targets wait for the check's own limits, if it has any, before the clock of any call runs. */
  line: Gate | undefined
  /** A whole call of the manager, with its deadline and retries; see ConnectionManager. */
  run<T>(target: Target, work: (call: Call) => Promise<T>, options?: ConnectOptions): Promise<T>
  /** Ends the whole check. */
  cancellation: Cancellation
  settings: CheckOptions & Call['options']
  /** Of an attempt that is the whole check of its target. */
  alone: Call['options']
}

type AnyIterator = Iterator<Target> | AsyncIterator<Target>

export async function* check(
  targets: Iterable<Target> | AsyncIterable<Target>,
  context: CheckContext,
): AsyncGenerator<CheckResult, void, undefined> {
  const window = new CheckWindow(targets, context)
  try {
    for (;;) {
      context.cancellation.throwIfRequested()
      window.fill()
      const result = window.take()
      if (result) yield result
      else if (window.finished) return
      else await window.changed()
    }
  } finally {
    await window.close()
  }
}

/** The targets in flight and the results that wait for the consumer. */
class CheckWindow {
  readonly #iterator: AnyIterator
  readonly #context: CheckContext
  readonly #concurrency: number
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

  constructor(targets: Iterable<Target> | AsyncIterable<Target>, context: CheckContext) {
    this.#concurrency = context.settings.concurrency ?? limits.checkConcurrency
    this.#context = context
    this.#iterator = Symbol.asyncIterator in targets ? targets[Symbol.asyncIterator]() : targets[Symbol.iterator]()
    context.cancellation.onRequest(() => this.#notify())
  }

  get finished(): boolean {
    return this.#ended && this.#inFlight === 0
  }

  /** Starts targets while there is room. A source that has to be waited for is asked for one at a time. */
  fill(): void {
    const { cancellation } = this.#context
    while (!this.#ended && !this.#pulling && !cancellation.requested && this.#hasRoom()) this.#pull()
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

  #await(next: PromiseLike<IteratorResult<Target>>): void {
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
    if (this.#inFlight > 0) this.#context.cancellation.request(() => abortError(new Error('the check was left early')))
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

  #accept(next: IteratorResult<Target>): void {
    if (Object(next) !== next) throw new TypeError(`Iterator result ${String(next)} is not an object`)
    if (next.done) this.#ended = true
    else if (!this.#closing) this.#start(next.value)
  }

  #failed(error: unknown): void {
    this.#ended = true
    this.#failure = { error }
  }

  #start(target: Target): void {
    this.#inFlight++
    const parsed = readTarget(target)
    if (!('kind' in parsed)) {
      settleSoon(() => this.#finish([parsed]))
      return
    }
    if (!this.#context.line) {
      checkTarget(target, parsed, this.#context, this.#finished)
      return
    }
    const host = parsed.kind === 'name' ? parsed.hostname : hostOf(parsed.endpoint)
    standInLine(host, this.#context, (leave) => {
      if (!leave) return this.#finish([])
      checkTarget(target, parsed, this.#context, (results) => {
        leave()
        this.#finish(results)
      })
    })
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
