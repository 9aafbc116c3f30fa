/**
 * Carries out what core/retry decides. An attempt goes through the gates and is requeued while this machine is what
 * fails; a call's tries are repeated after their backoff. A cancel ends every wait at once.
 */
import type { AttemptRequest, Outcome } from '../bridge/registry.js'
import { settleSoon } from '../bridge/settling.js'
import { Linked } from '../core/list.js'
import type { Random } from '../core/random.js'
import { type Failure, Patience, type RetryBudget, RetryPlan } from '../core/retry.js'
import type { Attempt, Engine } from '../engines/engine.js'
import { ConnectError } from '../errors/errors.js'
import type { RetryPolicy, Target } from '../types.js'
import type { Cancellable, Cancellation } from './cancellation.js'
import type { Deadline } from './deadline.js'
import * as diagnostics from './diagnostics.js'
import type { Gate, Pass } from './gate.js'

/** What the calls of a manager share. */
export interface Supervision {
  readonly budget: RetryBudget
  readonly random: Random
  /** Every attempt's way to its engine. */
  readonly gate: Gate
  /** In front of that for attempts after a call's first, where the first has passed it before the call. */
  readonly again?: Gate | undefined
  /** Told about each decision to go on. */
  readonly onDecision: (action: 'retry' | 'requeue') => void
}

/**
 * Runs an attempt, requeued while this machine is what fails, until its outcome stands: `done` is called once, later than
 * `begin`. Who extends it says what to ask for, and what an outcome is called.
 */
export abstract class SupervisedAttempt extends Linked implements Cancellable {
  readonly engine: Engine
  readonly #supervision: Supervision
  readonly #again: boolean
  #patience: Patience | undefined
  #attempts = 0
  /** In the manager's line, and in that of attempts after the first. */
  #pass: Pass | undefined
  #againPass: Pass | undefined
  #running: Attempt | undefined
  #timer: NodeJS.Timeout | undefined
  /** Handed to an engine that has to have a thread for it first. Milliseconds since the epoch. */
  #handedOverAt: number | undefined
  /** Cancelled or done: nothing is tried any more. */
  #over = false

  /** `patience`: its call's, if it has one. `again`: not the first of its call. */
  constructor(engine: Engine, supervision: Supervision, patience?: Patience, again = false) {
    super()
    this.engine = engine
    this.#supervision = supervision
    this.#patience = patience
    this.#again = again
  }

  /** As people read it. */
  abstract get endpoint(): string
  /** What the limit per host counts by. */
  protected abstract get host(): string
  /** Made each time it is handed to its engine, and not kept: thousands wait for long. */
  protected abstract request(): AttemptRequest
  /** Told about each outcome; what failed, or undefined where nothing did. */
  protected abstract judge(outcome: Outcome): Failure | undefined
  /** `failure`: of the last outcome. */
  protected abstract done(outcome: Outcome, attempts: number, failure: Failure | undefined): void

  /** It has to wait for this machine. */
  protected waits(): void {}

  /** It is handed to its engine. */
  protected started(): void {}

  begin(): void {
    this.#wait()
  }

  /** Idempotent. What runs is cancelled where it runs; what waits holds nothing and ends. */
  cancel(): void {
    if (this.#over) return
    this.#over = true
    diagnostics.attemptCancel(this)
    if (this.#running) {
      this.#running.cancel()
      return
    }
    clearTimeout(this.#timer)
    this.#leave()
    this.#patience?.runs(performance.now())
    settleSoon(() =>
      this.done({ state: 'cancelled', startedAt: Date.now(), waitedMs: 0, durationMs: 0 }, this.#attempts, undefined),
    )
  }

  /** Through the gates, then onto the engine. */
  #wait(): void {
    const { again } = this.#supervision
    this.#patience?.waits(performance.now())
    // Its host's place in that line is its own call's already: asked for again, it would wait for itself.
    if (again && (this.#again || this.#attempts > 0)) this.#againPass = again.enter(undefined, () => this.#enter())
    else this.#enter()
    if (this.#over) this.#leave()
    else if (!this.#running) this.waits()
  }

  #enter(): void {
    this.#pass = this.#supervision.gate.enter(this.host, () => this.#run())
    // Cancelled by whoever was told of its start, before there was a pass to give back.
    if (this.#over) this.#leave()
  }

  #run(): void {
    this.#attempts += 1
    this.#patience?.runs(performance.now())
    diagnostics.attemptStart(this)
    this.started()
    // Whoever is told of the start may have cancelled it.
    if (this.#over) return
    const queued = this.#patience && ((waits: boolean) => this.#queued(waits))
    this.#noteHandOver()
    this.#running = this.engine.submit(this.request(), (outcome) => this.#settle(outcome), queued)
  }

  /** For a lane, say: that is no time of the target's. */
  #queued(waits: boolean): void {
    if (waits) this.#patience?.waits(performance.now())
    else {
      this.#patience?.runs(performance.now())
      this.#noteHandOver()
    }
  }

  #noteHandOver(): void {
    if (!this.engine.startsAtOnce) this.#handedOverAt = Date.now()
  }

  /** Only where that took longer than the connect: some time always passes, and says nothing. */
  #noteStart({ startedAt, durationMs }: Outcome): void {
    const waitedMs = startedAt - (this.#handedOverAt ?? startedAt)
    if (waitedMs > durationMs) this.#patience?.hasWaited(waitedMs)
  }

  #leave(): void {
    this.#pass?.end()
    this.#againPass?.end()
    this.#pass = this.#againPass = undefined
  }

  #settle(outcome: Outcome): void {
    this.#noteStart(outcome)
    const failure = this.judge(outcome)
    diagnostics.attemptEnd(this, outcome, failure)
    const local = failure?.errnoClass === 'local'
    const goesOn = local && !this.#over
    // Before anybody else is started: a cancel from there comes too late, and must not settle it a second time.
    this.#over = !goesOn
    this.#running = undefined
    if (local) this.#supervision.gate.cut()
    this.#leave()
    if (goesOn && (this.#over || this.#requeue(failure))) return
    this.#over = true
    this.done(outcome, this.#attempts, failure)
  }

  /** False where patience has run out. */
  #requeue(failure: Failure): boolean {
    const { random, onDecision } = this.#supervision
    this.#patience ??= new Patience()
    const now = performance.now()
    const decision = this.#patience.after(now, random)
    if (decision.action === 'give-up') return false
    onDecision('requeue')
    diagnostics.retry(this.endpoint, failure, decision)
    if (this.#over) return true
    this.#patience.waits(now)
    this.waits()
    this.#timer = setTimeout(() => this.#wait(), decision.delayMs)
    return true
  }
}

/** What is repeated for, and how it is bounded. */
interface Repeated {
  readonly cancellation: Cancellation
  readonly supervision: Supervision
  readonly deadline: Deadline
}

/**
 * Repeats a call's try until it succeeds or its failure is given up, and tells which, once. Between tries nothing is held,
 * and a cancel is told at once.
 */
export function supervise<T>(
  target: Target,
  policy: RetryPolicy | false,
  { cancellation, supervision, deadline }: Repeated,
  attempt: () => Promise<T>,
  succeed: (value: T) => void,
  fail: (error: unknown) => void,
): void {
  const { budget, random, onDecision } = supervision
  const plan = new RetryPlan(policy, budget, random, performance.now())
  const retry = (error: unknown) => {
    if (cancellation.requested || !(error instanceof ConnectError)) return fail(error)
    const decision = plan.after(error, performance.now())
    if (decision.action === 'give-up') return fail(error)
    onDecision('retry')
    diagnostics.retry(target, error, decision)
    deadline.arm()
    pause(decision.delayMs, cancellation).then(again, fail)
  }
  const again = () => {
    attempt().then(succeed, retry)
  }
  again()
}

/**
 * Repeats what is not an attempt, and holds nothing between, while this machine is what fails and the call's patience lasts.
 * @throws the last failure; the cancellation's error, at once, when the call is cancelled between.
 */
export async function requeued<T>(
  hostname: string,
  call: Repeated & { patience: Patience },
  work: () => Promise<T>,
): Promise<T> {
  const { patience, supervision, cancellation, deadline } = call
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (cancellation.requested || !(error instanceof ConnectError) || error.errnoClass !== 'local') throw error
      supervision.gate.cut()
      const now = performance.now()
      const decision = patience.after(now, supervision.random)
      if (decision.action === 'give-up') throw error
      supervision.onDecision('requeue')
      diagnostics.retry(hostname, error, decision)
      patience.waits(now)
      deadline.arm()
      await pause(decision.delayMs, cancellation)
      patience.runs(performance.now())
    }
  }
}

function pause(delayMs: number, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop()
      resolve()
    }, delayMs)
    const stop = cancellation.onRequest(() => {
      clearTimeout(timer)
      settleSoon(() => reject(cancellation.error()))
    })
  })
}
