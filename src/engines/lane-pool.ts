/**
 * The Piscina pool that owns the lanes of one blocking engine: it starts the worker that opens the group of lanes, replaces it and ends it,
 * and the worker's end closes the group. The pool is not on an attempt's way: this thread hands ids to the group natively.
 *
 * A worker is given one task, which opens its group. The task ends with the group open, and the group stays for as long as the
 * worker, because Piscina keeps the process alive while a task is unfinished. One group has all the lanes, so load starts no
 * second worker. That one starts while the first is still ending, to take its place.
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { FixedQueue, Piscina } from 'piscina'
import { registry, type Waiter } from '../bridge/registry.js'
import * as limits from '../core/limits.js'
import type { GiveUp, Refusal } from './staging.js'
import { ownWorkerArguments } from './worker-arguments.js'

/** What a worker is told once: workers/lanes.cts. */
export interface LaneSettings {
  /** At most. */
  lanes: number
  stackBytes: number
  idleMs: number
}

/** What a worker answers to its task. */
export interface LaneGroup {
  /** The worker's thread id. */
  worker: number
  /** For submitToLanes; or a negative errno, and there is no group. */
  number: number
}

interface Waiting {
  batch: readonly Waiter[]
  giveUp: GiveUp
}

const workerFile = fileURLToPath(new URL('../../workers/lanes.cjs', import.meta.url))

export class LanePool {
  readonly #settings: LaneSettings
  readonly #onWorkerEnd: (error: Error) => void
  #pool: Piscina | undefined
  /** Every worker that has not exited, those included that Piscina has let go. */
  readonly #workers = new Set<Worker>()
  /** Thread ids of the workers that were given their task. */
  readonly #asked = new Set<number>()
  /** The pool's queue. Piscina takes a task back only by a signal; with the queue at hand it is done without one. */
  readonly #tasks = new FixedQueue()
  /** Open, as far as this thread knows. */
  #group: LaneGroup | undefined
  /** There while a worker is asked for a group. Calling it goes on without the answer. */
  #opening: (() => void) | undefined
  readonly #waiting: Waiting[] = []

  /** `onWorkerEnd` is told of each worker that ended; another is started when it is needed. */
  constructor(settings: LaneSettings, onWorkerEnd: (error: Error) => void) {
    this.#settings = settings
    this.#onWorkerEnd = onWorkerEnd
  }

  /** Hands a batch to the lanes, or keeps it until there are some. */
  submit(batch: readonly Waiter[], giveUp: GiveUp): void {
    if (this.#handOver(batch)) return
    this.#waiting.push({ batch, giveUp })
    if (!this.#opening) this.#open()
  }

  /** Ends the workers, and so the lanes. Resolves when nothing of them is left. What was handed over is over by then. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
    await Promise.all([...this.#workers].map((worker) => once(worker, 'exit')))
  }

  /** False where no group is open. One that has closed, as its worker ended, is forgotten here. */
  #handOver(batch: readonly Waiter[]): boolean {
    if (this.#group && registry.submitToLanes(this.#group.number, batch)) return true
    this.#group = undefined
    return false
  }

  #open(): void {
    const goOn = (answer?: LaneGroup) => {
      if (this.#opening !== withoutAnswer) return
      this.#opening = undefined
      this.#onAnswer(answer)
    }
    const withoutAnswer = () => goOn()
    this.#opening = withoutAnswer
    this.#askWorker().then(goOn, withoutAnswer)
  }

  /** Asks a worker that has no group, and has the pool start one if need be. Rejects where that worker ends before it answers. */
  #askWorker(): Promise<LaneGroup> {
    this.#pool ??= this.#openPool()
    try {
      return this.#pool.run(undefined)
    } catch (error) {
      // There was no thread for a worker.
      this.#takeTaskBack()
      return Promise.reject(error)
    } finally {
      this.#watch(this.#pool)
    }
  }

  /** What has waited is handed over, or given up where there is no group. */
  #onAnswer(group?: LaneGroup): void {
    let why: Refusal | undefined
    if (group && group.number < 0) {
      // The worker itself is in order, and may be asked again.
      this.#asked.delete(group.worker)
      why = { errno: group.number, call: 'pthread_create' }
    } else {
      this.#group = group
    }
    for (const { batch, giveUp } of this.#waiting.splice(0)) if (!this.#handOver(batch)) giveUp(why)
  }

  #openPool(): Piscina {
    const pool = new Piscina({
      filename: workerFile,
      // Started when it is needed. A minimum would be kept up even by a pool that was destroyed, as its last workers exit.
      minThreads: 0,
      maxThreads: limits.workers,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      taskQueue: this.#tasks,
      // A worker that had its task is not asked again: it may be ending, which Piscina sees later.
      loadBalancer: (_task, workers) => {
        const worker = workers.find(({ id }) => !this.#asked.has(id))
        if (worker) this.#asked.add(worker.id)
        return worker ?? null
      },
      // Waiting in Atomics.wait would park the worker's event loop between tasks.
      atomics: 'disabled',
      execArgv: [...ownWorkerArguments],
      workerData: this.#settings,
    })
    let last: Error | undefined
    pool.on('error', (error: Error) => {
      last = error
    })
    pool.on('workerDestroy', () => queueMicrotask(() => this.#onDestroyed(pool, last)))
    return pool
  }

  /** A worker ends or has ended. Its lanes are joined, and their attempts settle as lost. */
  #onDestroyed(pool: Piscina, error = new Error('a worker ended')): void {
    const live = pool.threads.map(({ threadId }) => threadId)
    if (this.#group && !live.includes(this.#group.worker)) this.#group = undefined
    // No worker is left to answer, and Piscina starts none for a task that is queued already.
    if (live.every((id) => id === this.#group?.worker)) {
      this.#takeTaskBack()
      this.#opening?.()
    }
    this.#onWorkerEnd(error)
  }

  #takeTaskBack(): void {
    while (this.#tasks.size > 0) this.#tasks.shift()
  }

  #watch(pool: Piscina): void {
    for (const worker of pool.threads) {
      if (this.#workers.has(worker)) continue
      const { threadId } = worker
      this.#workers.add(worker)
      worker.once('exit', () => {
        this.#workers.delete(worker)
        this.#asked.delete(threadId)
      })
    }
  }
}
