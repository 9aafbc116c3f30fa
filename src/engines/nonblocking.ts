/**
 * The nonblocking engine: O_NONBLOCK, connect(2), EINPROGRESS, writability, SO_ERROR, all of it on the process's reactor
 * threads, deadlines included. What cannot be waited for there, an AF_UNIX listener whose backlog is full, goes to a lane.
 */
import { availableParallelism, constants } from 'node:os'
import { binding } from '../bridge/binding.js'
import { type NativeRequest, type Outcome, registry, type Waiter } from '../bridge/registry.js'
import * as limits from '../core/limits.js'
import type { Asker, Attempt, Engine, EngineLoad } from './engine.js'
import { type GiveUp, Staging } from './staging.js'

export interface NonblockingOptions {
  /** Attempts under way at once, at most. */
  inFlight?: number | undefined
  /** What attempts that need a lane are given to. */
  lanes: () => Engine
}

/** One a core, and no more than four. CANCELPOINT_REACTORS is for tests and benchmarks. */
function reactorsAtMost(): number {
  const asked = Number(process.env.CANCELPOINT_REACTORS)
  const isCount = Number.isInteger(asked) && asked >= 1 && asked <= limits.reactorsAtMost
  return isCount ? asked : Math.min(availableParallelism(), limits.reactors)
}

const busy = -constants.errno.EAGAIN

export class NonblockingEngine implements Engine {
  readonly name = 'nonblocking'
  readonly startsAtOnce = true
  readonly #lanes: () => Engine
  readonly #staging: Staging
  /** Attempts that went on to a lane. */
  readonly #onLanes = new Set<Attempt>()
  #usesReactors = false
  #closing: Promise<void> | undefined
  #left: (() => void) | undefined

  constructor({ inFlight = limits.inFlight, lanes }: NonblockingOptions) {
    this.#lanes = lanes
    this.#staging = new Staging(inFlight, (batch, giveUp) => this.#start(batch, giveUp))
  }

  submit(request: NativeRequest, asker: Asker): Attempt {
    return request.family === 'unix' ? this.#submitUnix(request, asker) : this.#staging.submit(request, asker)
  }

  load(): EngineLoad {
    return this.#staging.load()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #start(batch: readonly Waiter[], giveUp: GiveUp): void {
    const [errno, call] = this.#usesReactors ? [0, 0] : binding.startReactors(reactorsAtMost())
    this.#usesReactors ||= errno === 0
    if (this.#usesReactors) registry.submitToReactors(batch)
    else giveUp({ errno, call: binding.callNames[call]! })
  }

  #submitUnix(request: NativeRequest, asker: Asker): Attempt {
    let cancelled = false
    let running = this.#staging.submit(request, {
      settle: (outcome) => {
        if (!isBusy(outcome)) asker.settle(outcome)
        else if (cancelled) asker.settle(cancelledAfter(outcome))
        else running = this.#goOnOnLane(request, outcome, asker)
      },
      queued: (waits) => asker.queued?.(waits),
    })
    return {
      cancel: () => {
        cancelled = true
        running.cancel()
      },
    }
  }

  /** One attempt to its caller, with what is left of its time. Of that a wait for a lane is no part: it is not the target's doing. */
  #goOnOnLane(request: NativeRequest, first: Outcome, asker: Asker): Attempt {
    const { startedAt, waitedMs, durationMs } = first
    const timeoutMs = request.timeoutMs && Math.max(1, Math.ceil(request.timeoutMs - durationMs))
    const settle = (outcome: Outcome) => {
      this.#onLanes.delete(attempt)
      asker.settle({
        ...outcome,
        startedAt,
        waitedMs: waitedMs + outcome.waitedMs,
        durationMs: durationMs + outcome.durationMs,
      })
      if (this.#onLanes.size === 0) this.#left?.()
    }
    const queued = (waits: boolean) => asker.queued?.(waits)
    const attempt = this.#lanes().submit({ ...request, timeoutMs }, { settle, queued })
    this.#onLanes.add(attempt)
    return attempt
  }

  async #close(): Promise<void> {
    await this.#staging.end()
    for (const attempt of this.#onLanes) attempt.cancel()
    if (this.#onLanes.size > 0)
      await new Promise<void>((resolve) => {
        this.#left = resolve
      })
    if (this.#usesReactors) binding.stopReactors()
    this.#usesReactors = false
  }
}

/** A full backlog is not an outcome. An attempt that was to wait for room, and was cancelled first, ends as cancelled. */
function cancelledAfter({ startedAt, waitedMs, durationMs }: Outcome): Outcome {
  return { state: 'cancelled', startedAt, waitedMs, durationMs }
}

/** Nonblocking, connect(2) says EAGAIN of a full AF_UNIX backlog, and nothing tells when there is room. */
function isBusy(outcome: Outcome): boolean {
  return outcome.state === 'failed' && outcome.errno === busy && outcome.call === 'connect'
}
