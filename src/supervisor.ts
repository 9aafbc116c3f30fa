/**
 * Carries out what core/retry decides. An attempt goes through the gates and is requeued while this machine is what
 * fails; a call's tries are repeated after their backoff. A cancel ends every wait at once.
 */
import { type AttemptRequest, type Outcome, settleSoon } from './attempts.js'
import type { Cancellation } from './cancellation.js'
import type { Random } from './core/random.js'
import { type Failure, Patience, type RetryBudget, RetryPlan } from './core/retry.js'
import type { Deadline } from './deadline.js'
import * as diagnostics from './diagnostics.js'
import type { Attempt, Engine } from './engines/engine.js'
import { ConnectError } from './errors.js'
import type { Gate, Pass } from './gate.js'
import type { RetryPolicy, Target } from './types.js'

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

/** An attempt to ask for, and what its outcomes are called. */
export interface Task {
  engine: Engine
  request: AttemptRequest
  /** As people read it. */
  endpoint: string
  /** What the limit per host counts by. */
  host: string
  /** Told about each outcome; what failed, or undefined where nothing did. */
  judge(outcome: Outcome): Failure | undefined
  /** The call's, shared by its attempts: its patience, and the deadline of what is waited for beside connect(2). */
  patience: Patience | undefined
  deadline: Deadline | undefined
  /** Not the first of its call. */
  again: boolean
  /** Told each time it is handed to its engine. */
  started: (() => void) | undefined
}

/** Runs an attempt, requeued while this machine is what fails, until its outcome stands. `done` is called once, on a later turn. */
export class SupervisedAttempt {
  readonly #task: Task
  readonly #supervision: Supervision
  readonly #done: (outcome: Outcome, attempts: number) => void
  readonly #settled = (outcome: Outcome) => this.#settle(outcome)
  #patience: Patience | undefined
  #attempts = 0
  /** In the manager's line, and in that of attempts after the first. */
  #pass: Pass | undefined
  #againPass: Pass | undefined
  #running: Attempt | undefined
  #timer: NodeJS.Timeout | undefined
  /** Cancelled or done: nothing is tried any more. */
  #over = false

  constructor(task: Task, supervision: Supervision, done: (outcome: Outcome, attempts: number) => void) {
    this.#task = task
    this.#supervision = supervision
    this.#done = done
    this.#patience = task.patience
    this.#wait()
  }

  /** Idempotent. What runs is cancelled where it runs; what waits holds nothing and ends. */
  cancel(): void {
    if (this.#over) return
    this.#over = true
    diagnostics.attemptCancel(this.#task)
    if (this.#running) {
      this.#running.cancel()
      return
    }
    clearTimeout(this.#timer)
    this.#leave()
    this.#patience?.runs(performance.now())
    settleSoon(() => this.#done({ state: 'cancelled', startedAt: Date.now(), durationMs: 0 }, this.#attempts))
  }

  /** Through the gates, then onto the engine. */
  #wait(): void {
    const { again } = this.#supervision
    this.#patience?.waits(performance.now())
    // Its host's place in that line is its own call's already: asked for again, it would wait for itself.
    if (again && (this.#task.again || this.#attempts > 0)) this.#againPass = again.enter(undefined, () => this.#enter())
    else this.#enter()
    if (!this.#running) this.#task.deadline?.arm()
  }

  #enter(): void {
    this.#pass = this.#supervision.gate.enter(this.#task.host, () => this.#run())
  }

  #run(): void {
    const { engine, request } = this.#task
    this.#attempts += 1
    this.#patience?.runs(performance.now())
    diagnostics.attemptStart(this.#task)
    this.#task.started?.()
    this.#running = engine.submit(request, this.#settled)
  }

  #leave(): void {
    this.#pass?.end()
    this.#againPass?.end()
    this.#pass = this.#againPass = undefined
  }

  #settle(outcome: Outcome): void {
    this.#running = undefined
    const failure = this.#task.judge(outcome)
    diagnostics.attemptEnd(this.#task, outcome, failure)
    const local = failure?.errnoClass === 'local'
    if (local) this.#supervision.gate.cut()
    this.#leave()
    if (local && !this.#over && this.#requeue(failure)) return
    this.#over = true
    this.#done(outcome, this.#attempts)
  }

  /** False where patience has run out. */
  #requeue(failure: Failure): boolean {
    const { random, onDecision } = this.#supervision
    this.#patience ??= new Patience()
    const now = performance.now()
    const decision = this.#patience.after(now, random)
    if (decision.action === 'give-up') return false
    onDecision('requeue')
    diagnostics.retry(this.#task.endpoint, failure, decision)
    this.#patience.waits(now)
    this.#task.deadline?.arm()
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
