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
import type { Asker, Attempt, Engine } from '../engines/engine.js'
import type { Cancellable } from './cancellation.js'
import * as diagnostics from './diagnostics.js'
import type { Gate, Place } from './gate.js'

/** What the calls of a manager share. */
export interface Supervision {
  readonly budget: RetryBudget
  readonly random: Random
  /** Every attempt's way to its engine. */
  readonly gate: Gate
  /** A check's own gate. A target goes through it before its call begins, so only attempts after the first enter it here. */
  readonly checkGate?: Gate | undefined
  /** Told about each decision to go on. */
  readonly onDecision: (action: 'retry' | 'requeue') => void
}

/**
 * Runs an attempt, requeued while this machine is what fails, until its outcome stands: `done` is called once, later than
 * `begin`. A subclass says what to ask an engine for, and what an outcome means.
 */
export abstract class SupervisedAttempt extends Linked implements Cancellable, Asker {
  readonly engine: Engine
  readonly #supervision: Supervision
  readonly #again: boolean
  #patience: Patience | undefined
  #attempts = 0
  /** Its places in the manager's gate and in the check's. */
  #place: Place | undefined
  #checkPlace: Place | undefined
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
  /** Made each time it is submitted, and not kept, because thousands may wait for long. */
  protected abstract request(): AttemptRequest
  /** Told about each outcome; what failed, or undefined where nothing did. */
  protected abstract judge(outcome: Outcome): Verdict | undefined
  /** `failure`: of the last outcome. */
  protected abstract done(outcome: Outcome, attempts: number, failure: Verdict | undefined): void

  /** It has to wait for this machine. */
  protected waits(): void {}

  /** It is about to be submitted to its engine. */
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
    const { checkGate } = this.#supervision
    // The call already holds this host's place in the check's gate: entering with the host again, it would wait for itself.
    if (checkGate && (this.#again || this.#attempts > 0)) {
      this.#checkPlace = checkGate.enter(undefined, () => this.#enter())
    } else this.#enter()
    if (this.#over) this.#leave()
    else if (!this.#running) {
      this.#patience?.waits(performance.now())
      this.waits()
    }
  }

  #enter(): void {
    this.#place = this.#supervision.gate.enter(this.host, () => this.#run())
    // A subscriber that was told of its start cancelled it, before there was a place to give back.
    if (this.#over) this.#leave()
  }

  #run(): void {
    this.#attempts += 1
    if (this.#patience?.isWaiting) this.#patience.runs(performance.now())
    diagnostics.attemptStart(this)
    this.started()
    // A subscriber that was told of the start may have cancelled it.
    if (this.#over) return
    this.#running = this.engine.submit(this.request(), this)
  }

  /** Asker: it waits inside the engine, for a lane say. That is not the target's time. */
  queued(waits: boolean): void {
    if (waits) this.#patience?.waits(performance.now())
    else this.#patience?.runs(performance.now())
  }

  /** Between submission and start it waited for a thread. That always takes a little; it counts where it took longer than the connect. */
  #noteWait({ waitedMs, durationMs }: Outcome): void {
    if (!this.engine.startsAtOnce && waitedMs > durationMs) this.#patience?.hasWaited(waitedMs)
  }

  #leave(): void {
    this.#place?.end()
    this.#checkPlace?.end()
    this.#place = this.#checkPlace = undefined
  }

  /** Asker: how the attempt ended, or this machine failed. */
  settle(outcome: Outcome): void {
    this.#noteWait(outcome)
    const failure = this.judge(outcome)
    diagnostics.attemptEnd(this, outcome, failure)
    const local = failure?.errnoClass === 'local'
    const goesOn = local && !this.#over
    // Set before others are started: a cancel that comes from one of them is too late, and must not settle this a second time.
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
