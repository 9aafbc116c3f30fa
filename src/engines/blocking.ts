/**
 * The blocking engine: connect(2) on native lanes, under a Piscina pool. Workers only hand attempts to lanes;
 * outcomes and cancels go between the registry and this thread directly (attempts.ts).
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { idsOf, type NativeRequest, type Outcome, type Waiter } from '../bridge/registry.js'
import { performance } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { codeOf } from '../errors/errnos.js'
import type { Attempt, Engine, EngineLoad, Queued } from './engine.js'
import { type GiveUp, Staging } from './staging.js'

export interface BlockingOptions {
  /** Native threads at most, so attempts in flight at most. */
  lanes?: number | undefined
  /** Bytes. */
  laneStackBytes?: number | undefined
  /** A lane without work for so long ends. Milliseconds. */
  laneIdleMs?: number | undefined
  workers?: number | undefined
}

/** What a worker is told once: workers/lanes.cts. */
export interface LaneSettings {
  lanes: number
  stackBytes: number
  idleMs: number
}

const workerFile = fileURLToPath(new URL('../../workers/lanes.cjs', import.meta.url))

export class BlockingEngine implements Engine {
  readonly name = 'blocking'
  readonly startsAtOnce = false
  readonly #lanes: number
  readonly #options: BlockingOptions
  readonly #staging: Staging
  #pool: Piscina | undefined
  /** Every worker that has not exited, those included that Piscina has let go. */
  readonly #workers = new Set<Worker>()
  #closing: Promise<void> | undefined
  readonly #onFailure: (error: Error) => void
  #laneFailedAt = Number.NEGATIVE_INFINITY

  /** `onFailure` is told of each worker that ended by itself, and of lanes that could not be had; both are mended here. */
  constructor(options: BlockingOptions = {}, onFailure: (error: Error) => void = () => {}) {
    this.#lanes = options.lanes ?? limits.lanes
    this.#options = options
    this.#staging = new Staging(this.#lanes, (batch, giveUp) => this.#run(batch, giveUp))
    this.#onFailure = onFailure
  }

  submit(request: NativeRequest, settle: (outcome: Outcome) => void, queued?: Queued): Attempt {
    const settled = (outcome: Outcome) => {
      if (outcome.state === 'failed' && outcome.call === 'pthread_create') this.#onLaneFailure(outcome.errno)
      settle(outcome)
    }
    return this.#staging.submit(request, settled, queued)
  }

  load(): EngineLoad {
    return this.#staging.load()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The task's end says only that its ids were handed to lanes; what was not is given up. */
  async #run(batch: readonly Waiter[], giveUp: GiveUp): Promise<void> {
    try {
      this.#pool ??= this.#openPool()
      const running: Promise<number> = this.#pool.run(idsOf(batch))
      this.#watch(this.#pool)
      const started = await running
      if (started < 0) giveUp({ errno: started, call: 'pthread_create' })
    } catch {
      giveUp()
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

  async #close(): Promise<void> {
    await this.#staging.end()
    await this.#pool?.destroy()
    await Promise.all([...this.#workers].map((worker) => once(worker, 'exit')))
  }
}
