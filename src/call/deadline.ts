/**
 * A call's deadline, by p-timeout. A call that is one attempt, begun at once and with a shorter limit of its own, needs no
 * timer. The deadline is armed when the call has to wait for something else: a name, a place, a backoff, a handshake.
 */
import pTimeout, { type Options } from 'p-timeout'

import { isBehind } from '../bridge/settling.js'
import { clearTimeout, performance, setImmediate, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { withoutStack } from '../errors/abort-error.js'
import { heldUpMs, startBeat, stopBeat } from './heartbeat.js'

const customTimers = { setTimeout, clearTimeout } as Options<unknown>['customTimers']

export class Deadline {
  readonly #timeoutMs: number
  readonly #startedAt: number
  readonly #pausedMs: () => number
  readonly #expire: () => void
  #state: 'unarmed' | 'armed' | 'over' = 'unarmed'
  #heldUpBefore = 0
  #stop: (() => void) | undefined

  /**
   * `timeoutMs` from `startedAt` (performance.now()); Infinity for none. Time in which the process was held up does not
   * count, nor does `pausedMs()`, which is asked when the time seems to be over. `expire` asks for the end of the call.
   */
  constructor(timeoutMs: number, startedAt: number, pausedMs: () => number, expire: () => void) {
    this.#timeoutMs = timeoutMs
    this.#startedAt = startedAt
    this.#pausedMs = pausedMs
    this.#expire = expire
  }

  /** From now on a timer keeps it, until `end`. Idempotent. */
  arm(): void {
    if (this.#state !== 'unarmed' || this.#timeoutMs === Number.POSITIVE_INFINITY) return
    this.#state = 'armed'
    startBeat()
    this.#heldUpBefore = heldUpMs()
    this.#wait()
  }

  /** How long the process was held up since it was armed. Milliseconds. */
  get heldUpMs(): number {
    return this.#state === 'armed' ? heldUpMs() - this.#heldUpBefore : 0
  }

  /** The call is over, in whatever way. */
  end(): void {
    if (this.#state === 'armed') stopBeat()
    this.#state = 'over'
    this.#stop?.()
  }

  #wait(): void {
    const milliseconds = Math.max(1, Math.min(this.#leftMs(), limits.timerAtMostMs))
    const stopped = new Promise<void>((resolve) => {
      this.#stop = resolve
    })
    // p-timeout makes an error of its own in advance, which nobody sees where there is a fallback.
    const ring = () => this.#ring()
    const timed = withoutStack(() => pTimeout(stopped, { milliseconds, fallback: ring, customTimers }))
    // The process may have replaced Error.captureStackTrace, by which it does so, with one that throws.
    timed.catch(() => {
      const timer = setTimeout(ring, milliseconds)
      stopped.then(() => clearTimeout(timer))
    })
  }

  #ring(): void {
    if (this.#leftMs() > 0) this.#wait()
    // The answer may have come and not been read: the loop reads what has arrived before it comes to this.
    else setImmediate(() => this.#lastLook())
  }

  #lastLook(): void {
    if (this.#state !== 'armed') return
    if (isBehind()) return void setImmediate(() => this.#lastLook())
    if (this.#leftMs() > 0) this.#wait()
    else this.#expire()
  }

  #leftMs(): number {
    return this.#timeoutMs - (performance.now() - this.#startedAt) + this.heldUpMs + this.#pausedMs()
  }
}
