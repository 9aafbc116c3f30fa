/**
 * The blocking engine: connect(2) on native lanes. This thread hands ids to a group of lanes natively; outcomes and cancels go
 * between the registry and this thread (bridge/registry.ts). Where the group comes from: lane-pool.ts.
 */
import type { NativeRequest } from '../bridge/registry.js'
import { performance } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { codeOf } from '../errors/errnos.js'
import type { Asker, Attempt, Engine, EngineLoad } from './engine.js'
import { LanePool } from './lane-pool.js'
import { Staging } from './staging.js'

export interface BlockingOptions {
  /** Native threads at most, so attempts in flight at most. Default 256. */
  lanes?: number | undefined
  /** Bytes. Default 64 KiB. */
  laneStackBytes?: number | undefined
  /** A lane without work for so long ends. Milliseconds, default 2,000. */
  laneIdleMs?: number | undefined
}

export class BlockingEngine implements Engine {
  readonly name = 'blocking'
  readonly startsAtOnce = false
  readonly #pool: LanePool
  readonly #staging: Staging
  readonly #onFailure: (error: Error) => void
  #laneFailedAt = Number.NEGATIVE_INFINITY
  #closing: Promise<void> | undefined

  /** `onFailure` is told of each worker that ended by itself, and of lanes that could not be had; both are mended here. */
  constructor(
    {
      lanes = limits.lanes,
      laneStackBytes: stackBytes = limits.laneStackBytes,
      laneIdleMs: idleMs = limits.laneIdleMs,
    }: BlockingOptions = {},
    onFailure: (error: Error) => void = () => {},
  ) {
    this.#onFailure = onFailure
    this.#pool = new LanePool({ lanes, stackBytes, idleMs }, (error) => {
      if (!this.#closing) this.#onFailure(error)
    })
    this.#staging = new Staging(lanes, (batch, giveUp) => this.#pool.submit(batch, giveUp))
  }

  submit(request: NativeRequest, asker: Asker): Attempt {
    return this.#staging.submit(request, {
      settle: (outcome) => {
        if (outcome.state === 'failed' && outcome.call === 'pthread_create') this.#onLaneFailure(outcome.errno)
        asker.settle(outcome)
      },
      queued: (waits) => asker.queued?.(waits),
    })
  }

  load(): EngineLoad {
    return this.#staging.load()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** One lack of threads fails many attempts, and fails each again as it is requeued. Failures of one moment are counted as one. */
  #onLaneFailure(errno: number): void {
    const now = performance.now()
    if (now - this.#laneFailedAt < limits.laneFailureMs) return
    this.#laneFailedAt = now
    this.#onFailure(new Error(`no lane could be started: pthread_create ${codeOf(errno)}`))
  }

  async #close(): Promise<void> {
    await this.#staging.end()
    await this.#pool.close()
  }
}
