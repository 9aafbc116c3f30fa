/**
 * The blocking engine: connect(2) on native lanes, under a Piscina pool. Workers only hand attempts to lanes;
 * outcomes and cancels go between the registry and this thread directly (attempts.ts).
 */
import { once } from 'node:events'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { cancel, type NativeRequest, type Outcome, reserve, settleSoon } from '../attempts.js'
import { binding } from '../binding.js'
import * as limits from '../core/limits.js'
import { codeOf } from '../errnos.js'
import type { EngineStats } from '../types.js'
import type { Attempt, Engine } from './engine.js'

export interface BlockingOptions {
  /** Native threads at most, so attempts in flight at most. */
  lanes?: number | undefined
  /** Bytes. */
  laneStackBytes?: number | undefined
  /** A lane without work for so long ends. Milliseconds. */
  laneIdleMs?: number | undefined
  workers?: number | undefined
}

/** What a worker is told once: workers/lanes.ts. */
export interface LaneSettings {
  lanes: number
  stackBytes: number
  idleMs: number
}

interface Job {
  /** Until it is reserved: copied then. */
  request: NativeRequest | undefined
  settle: (outcome: Outcome) => void
  /** 0 until reserved. */
  id: number
  /** Why its worker could start nothing: a negative errno, or 0. */
  refused: number
}

const workerFile = fileURLToPath(new URL('../../workers/lanes.js', import.meta.url))

export class BlockingEngine implements Engine {
  readonly name = 'blocking'
  readonly #lanes: number
  readonly #options: BlockingOptions
  /** Asked for in this turn; they travel as one task. */
  #staged = new Set<Job>()
  /** Wait for a lane. */
  #queued = new Set<Job>()
  #inFlight = 0
  #pool: Piscina | undefined
  /** Every worker that has not exited, those included that Piscina has let go. */
  readonly #workers = new Set<Worker>()
  #closing: Promise<void> | undefined
  #running = new Set<Job>()
  #idle: (() => void) | undefined
  readonly #onFailure: (error: Error) => void
  #laneFailedAt = Number.NEGATIVE_INFINITY
  #startedInTurn = false

  /** `onFailure` is told of each worker that ended by itself, and of lanes that could not be had; both are mended here. */
  constructor(options: BlockingOptions = {}, onFailure: (error: Error) => void = () => {}) {
    this.#lanes = options.lanes ?? limits.lanes
    this.#options = options
    this.#onFailure = onFailure
  }

  submit(request: NativeRequest, settle: (outcome: Outcome) => void): Attempt {
    const job: Job = { request, settle, id: 0, refused: 0 }
    if (this.#inFlight < this.#lanes) this.#stage(job)
    else this.#queued.add(job)
    return { cancel: () => this.#cancel(job) }
  }

  stats(): EngineStats {
    return { inFlight: this.#inFlight, queued: this.#queued.size, limit: this.#lanes }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #stage(job: Job): void {
    this.#inFlight++
    if (this.#staged.size === 0) this.#scheduleStart()
    this.#staged.add(job)
  }

  /**
   * What is asked for at first starts as soon as this callback and its microtasks are over, what follows in the same turn
   * of the event loop at its end: timers that go off together travel together.
   */
  #scheduleStart(): void {
    if (this.#startedInTurn) return
    this.#startedInTurn = true
    process.nextTick(() => this.#start())
    setImmediate(() => {
      this.#startedInTurn = false
      if (this.#staged.size > 0) this.#start()
    })
  }

  #start(): void {
    const jobs = [...this.#staged]
    this.#staged.clear()
    for (let at = 0; at < jobs.length; at += limits.attemptsPerTask) {
      this.#startTask(jobs.slice(at, at + limits.attemptsPerTask))
    }
  }

  #startTask(jobs: Job[]): void {
    // The ids are this side's before any worker hears of them, so no worker's death can lose one.
    const ids = reserve(
      jobs.map((job) => job.request!),
      jobs.map((job) => (outcome: Outcome) => this.#settle(job, outcome)),
    )
    jobs.forEach((job, i) => {
      if (i < ids.length) {
        job.id = ids[i]!
        job.request = undefined
        this.#running.add(job)
      } else {
        this.#settle(job, outOfMemory())
      }
    })
    if (ids.length > 0) void this.#run(jobs.slice(0, ids.length), ids)
  }

  /** The task's end says only that its ids were handed to lanes; what was not is given up. */
  async #run(jobs: readonly Job[], ids: Float64Array): Promise<void> {
    try {
      this.#pool ??= this.#openPool()
      const running: Promise<number> = this.#pool.run(ids)
      this.#watch(this.#pool)
      const started = await running
      if (started < 0) {
        for (const job of jobs) job.refused = started
        binding.forfeit(ids)
      }
    } catch {
      binding.forfeit(ids)
    }
  }

  #openPool(): Piscina {
    const pool = new Piscina({
      filename: workerFile,
      // Started as tasks need them. A minimum would be kept up even by a pool that was destroyed, as its last workers exit.
      minThreads: 0,
      maxThreads: this.#options.workers ?? limits.workers,
      concurrentTasksPerWorker: limits.tasksPerWorker,
      idleTimeout: Number.POSITIVE_INFINITY,
      // Waiting in Atomics.wait would park the worker's event loop between tasks.
      atomics: 'disabled',
      execArgv: [],
      workerData: {
        lanes: this.#lanes,
        stackBytes: this.#options.laneStackBytes ?? limits.laneStackBytes,
        idleMs: this.#options.laneIdleMs ?? limits.laneIdleMs,
      } satisfies LaneSettings,
    })
    let last: Error | undefined
    pool.on('error', (error: Error) => {
      last = error
    })
    pool.on('workerDestroy', () => queueMicrotask(() => this.#onWorkerEnd(pool, last)))
    return pool
  }

  /** Its lanes are joined and their attempts settle as lost. Piscina starts another, unless that one cannot start either. */
  #onWorkerEnd(pool: Piscina, error = new Error('a worker ended')): void {
    this.#watch(pool)
    if (this.#closing || pool !== this.#pool) return
    if (pool.threads.length === 0) {
      // A new pool for what is asked for next; tasks that wait for the old one are rejected, and their ids given up.
      this.#pool = undefined
      void pool.destroy()
    }
    this.#onFailure(error)
  }

  #watch(pool: Piscina): void {
    for (const worker of pool.threads) {
      if (this.#workers.has(worker)) continue
      this.#workers.add(worker)
      worker.once('exit', () => this.#workers.delete(worker))
    }
  }

  /** One lack of threads fails many attempts, and each of them again as it is requeued: what comes together is one failure. */
  #onLaneFailure(errno: number): void {
    const now = performance.now()
    if (now - this.#laneFailedAt < limits.laneFailureMs) return
    this.#laneFailedAt = now
    this.#onFailure(new Error(`no lane could be started: pthread_create ${codeOf(errno)}`))
  }

  #cancel(job: Job): void {
    // Without an id nothing is held. It settles a little later all the same, as every attempt does.
    if (job.id !== 0) cancel(job.id)
    else if (this.#staged.delete(job)) settleSoon(() => this.#settle(job, cancelledBeforeStart()))
    else if (this.#queued.delete(job)) settleSoon(() => job.settle(cancelledBeforeStart()))
  }

  #settle(job: Job, outcome: Outcome): void {
    this.#running.delete(job)
    this.#inFlight--
    const next = this.#queued.values().next()
    if (!next.done) {
      this.#queued.delete(next.value)
      this.#stage(next.value)
    }
    const told = outcome.state === 'lost' && job.refused < 0 ? noThread(job.refused) : outcome
    if (told.state === 'failed' && told.call === 'pthread_create') this.#onLaneFailure(told.errno)
    job.settle(told)
    if (this.#inFlight === 0) this.#idle?.()
  }

  async #close(): Promise<void> {
    for (const job of [...this.#queued, ...this.#staged, ...this.#running]) this.#cancel(job)
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    await this.#pool?.destroy()
    await Promise.all([...this.#workers].map((worker) => once(worker, 'exit')))
  }
}

function cancelledBeforeStart(): Outcome {
  return { state: 'cancelled', startedAt: Date.now(), durationMs: 0 }
}

const outOfMemory = () => notStarted(-constants.errno.ENOMEM, 'malloc')
const noThread = (errno: number) => notStarted(errno, 'pthread_create')

function notStarted(errno: number, call: string): Outcome {
  return { state: 'failed', errno, call, byDeadline: false, startedAt: Date.now(), durationMs: 0 }
}
