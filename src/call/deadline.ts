/**
 * A call's deadline. A call that is one attempt, begun at once and with a shorter limit of its own, needs no
 * timer. The deadline is armed when the call has to wait for something else: a name, a place, a backoff, a handshake.
 */
import { isBehind } from '../bridge/settling.js'
import { performance, setImmediate } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { Alarm, clearAlarm, setAlarm } from './alarm.js'
import { heldUpMs, startBeat, stopBeat } from './heartbeat.js'

/** Whose deadline it is. */
export interface Timed {
  /** From `startedAt` on, as performance.now() has it; Infinity for none. */
  readonly timeoutMs: number
  readonly startedAt: number
  /** Time that does not count, beside that in which the process was held up. Asked for when the time seems to be over. */
  readonly pausedMs: number
  /** Asks for its end. */
  expire(): void
}

export class Deadline extends Alarm {
  readonly #timed: Timed
  #state: 'unarmed' | 'armed' | 'over' = 'unarmed'
  #heldUpBefore = 0

  constructor(timed: Timed) {
    super()
    this.#timed = timed
  }

  /** From now on a timer keeps it, until `end`. Idempotent. */
  arm(): void {
    if (this.#state !== 'unarmed' || this.#timed.timeoutMs === Number.POSITIVE_INFINITY) return
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
    clearAlarm(this)
  }

  #wait(): void {
    setAlarm(this, Math.max(1, Math.min(this.#leftMs(), limits.timerAtMostMs)))
  }

  ring(): void {
    if (this.#leftMs() > 0) this.#wait()
    // The answer may have come and not been read: the loop reads what has arrived before it comes to this.
    else setImmediate(() => this.#lastLook())
  }

  #lastLook(): void {
    if (this.#state !== 'armed') return
    if (isBehind()) return void setImmediate(() => this.#lastLook())
    if (this.#leftMs() > 0) this.#wait()
    else this.#timed.expire()
  }

  #leftMs(): number {
    const { timeoutMs, startedAt, pausedMs } = this.#timed
    return timeoutMs - (performance.now() - startedAt) + this.heldUpMs + pausedMs
  }
}
