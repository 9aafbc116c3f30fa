/**
 * One attempt under supervision: it goes through the gates to its engine, and again while this machine is what fails. A
 * cancel ends every wait at once.
 */
import type { AttemptRequest, Outcome } from '../bridge/registry.js'
import { settleSoon } from '../bridge/settling.js'
import { clearTimeout, epochMs, performance, setTimeout } from '../core/clock.js'
import { Linked } from '../core/list.js'
import type { Random } from '../core/random.js'
import { Patience, type RetryBudget } from '../core/retry.js'
import type { Verdict } from '../core/verdict.js'
import type { Attempt, Engine } from '../engines/engine.js'
import type { Cancellable } from './cancellation.js'
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
  protected abstract judge(outcome: Outcome): Verdict | undefined
  /** `failure`: of the last outcome. */
  protected abstract done(outcome: Outcome, attempts: number, failure: Verdict | undefined): void

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
      this.done({ state: 'cancelled', startedAt: epochMs(), waitedMs: 0, durationMs: 0 }, this.#attempts, undefined),
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
    this.#running = this.engine.submit(this.request(), (outcome) => this.#settle(outcome), queued)
  }

  /** For a lane, say: that is no time of the target's. */
  #queued(waits: boolean): void {
    if (waits) this.#patience?.waits(performance.now())
    else this.#patience?.runs(performance.now())
  }

  /** What passed between submission and start was a wait for a thread. Some always passes; more than the connect took counts. */
  #noteWait({ waitedMs, durationMs }: Outcome): void {
    if (!this.engine.startsAtOnce && waitedMs > durationMs) this.#patience?.hasWaited(waitedMs)
  }

  #leave(): void {
    this.#pass?.end()
    this.#againPass?.end()
    this.#pass = this.#againPass = undefined
  }

  #settle(outcome: Outcome): void {
    this.#noteWait(outcome)
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
  #requeue(failure: Verdict): boolean {
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
