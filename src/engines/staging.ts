/**
 * What all engines do on this side. The attempts that are asked for in one turn are reserved and started as one batch. Those over
 * the limit wait and hold nothing. Each attempt settles once, and the next takes its place.
 */
import { constants } from 'node:os'
import { binding } from '../bridge/binding.js'
import { type NativeRequest, type Outcome, registry, type Waiter } from '../bridge/registry.js'
import { settleSoon } from '../bridge/settling.js'
import { epochMs, nextTick, setImmediate } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { Linked, List } from '../core/list.js'
import type { Asker, Attempt, EngineLoad } from './engine.js'

/** Why an attempt never came to its connect(2). */
export interface Refusal {
  /** Negative. */
  errno: number
  call: string
}

/** Native code has not taken the batch, and will not. Its attempts fail for this reason; without one they settle as lost. */
export type GiveUp = (why?: Refusal) => void

/** One attempt: staged, queued or under way. */
class Job extends Linked implements Attempt, Waiter {
  readonly #staging: Staging
  /** Until it is reserved: copied then. */
  request: NativeRequest | undefined
  readonly asker: Asker
  /** 0 until reserved. */
  id = 0
  refusal: Refusal | undefined

  constructor(staging: Staging, request: NativeRequest, asker: Asker) {
    super()
    this.#staging = staging
    this.request = request
    this.asker = asker
  }

  cancel(): void {
    this.#staging.cancel(this)
  }

  settle(outcome: Outcome): void {
    this.#staging.settle(this, outcome)
  }
}

export class Staging {
  readonly #limit: number
  readonly #start: (batch: readonly Waiter[], giveUp: GiveUp) => void
  /** Asked for in this turn; they travel as one batch. */
  readonly #staged = new List<Job>()
  /** Wait for a place. */
  readonly #queued = new List<Job>()
  readonly #running = new List<Job>()
  #inFlight = 0
  #startsInTurn = 0
  #idle: (() => void) | undefined

  /** At most `limit` attempts are under way at once. `start` hands a reserved batch to native code, or gives it up. */
  constructor(limit: number, start: (batch: readonly Waiter[], giveUp: GiveUp) => void) {
    this.#limit = limit
    this.#start = start
  }

  submit(request: NativeRequest, asker: Asker): Attempt {
    const job = new Job(this, request, asker)
    if (this.#inFlight < this.#limit) this.#stage(job)
    else {
      this.#queued.add(job)
      asker.queued?.(true)
    }
    return job
  }

  load(): EngineLoad {
    return { inFlight: this.#inFlight, queued: this.#queued.size, limit: this.#limit }
  }

  /** Cancels everything; resolves when all is settled. */
  async end(): Promise<void> {
    for (const list of [this.#queued, this.#staged, this.#running]) for (const job of list.toArray()) this.cancel(job)
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
  }

  /** Job.cancel. */
  cancel(job: Job): void {
    // Without an id it holds nothing. It settles a little later all the same, as every attempt does.
    if (job.id !== 0) registry.cancel(job.id)
    else if (this.#staged.delete(job)) settleSoon(() => this.settle(job, cancelledBeforeStart()))
    else if (this.#queued.delete(job)) settleSoon(() => job.asker.settle(cancelledBeforeStart()))
  }

  /** Job.settle. */
  settle(job: Job, outcome: Outcome): void {
    this.#running.delete(job)
    this.#inFlight--
    const next = this.#queued.shift()
    if (next) {
      next.asker.queued?.(false)
      this.#stage(next)
    }
    job.asker.settle(outcome.state === 'lost' && job.refusal ? refused(job.refusal) : outcome)
    if (this.#inFlight === 0) this.#idle?.()
  }

  #stage(job: Job): void {
    this.#inFlight++
    if (this.#staged.size === 0) this.#scheduleStart()
    this.#staged.add(job)
  }

  /**
   * The first submissions of a turn of the event loop start as soon as this callback is over, and so do those of
   * the next few callbacks: one who connects again and again waits for no turn. The others start at the turn's end: the timers
   * that go off together make one batch.
   */
  #scheduleStart(): void {
    if (this.#startsInTurn === limits.startsAtOnce) return
    this.#startsInTurn += 1
    nextTick(() => this.#startStaged())
    if (this.#startsInTurn > 1) return
    setImmediate(() => {
      this.#startsInTurn = 0
      this.#startStaged()
    })
  }

  #startStaged(): void {
    while (this.#staged.size > 0) {
      const jobs: Job[] = []
      while (jobs.length < limits.attemptsPerBatch && this.#staged.size > 0) jobs.push(this.#staged.shift()!)
      this.#startBatch(jobs)
    }
  }

  #startBatch(jobs: Job[]): void {
    // This side has the ids before any native thread does, so none is lost when such a thread ends.
    const count = registry.reserve(jobs)
    for (const job of jobs) {
      job.request = undefined
      if (job.id !== 0) this.#running.add(job)
      else this.settle(job, refused(outOfMemory))
    }
    if (count === 0) return
    const reserved = count === jobs.length ? jobs : jobs.slice(0, count)
    this.#start(reserved, (why) => {
      for (const job of reserved) job.refusal = why
      binding.forfeit(registry.idsOf(reserved))
    })
    registry.keepAlive()
  }
}

function cancelledBeforeStart(): Outcome {
  return { state: 'cancelled', startedAt: epochMs(), waitedMs: 0, durationMs: 0 }
}

const outOfMemory: Refusal = { errno: -constants.errno.ENOMEM, call: 'malloc' }

function refused({ errno, call }: Refusal): Outcome {
  return { state: 'failed', errno, call, byDeadline: false, startedAt: epochMs(), waitedMs: 0, durationMs: 0 }
}
