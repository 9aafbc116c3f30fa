/**
 * A call's deadline, by p-timeout. A call that is one attempt, begun at once and with a shorter deadline of its own, needs
 * no timer: the deadline is armed by whatever has to be waited for beside that.
 */
import pTimeout, { type Options } from 'p-timeout'

import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { withoutStack } from '../errors/errors.js'

const customTimers = { setTimeout, clearTimeout } as Options<unknown>['customTimers']

export class Deadline {
  readonly #endsAt: number
  readonly #expire: () => void
  #armed = false
  #over: (() => void) | undefined

  /** `timeoutMs` from `now`; Infinity for none. `expire` asks for the end of what is bounded. */
  constructor(timeoutMs: number, now: number, expire: () => void) {
    this.#endsAt = now + timeoutMs
    this.#expire = expire
  }

  /** From now on a timer keeps it, until `end`. Idempotent. */
  arm(): void {
    if (this.#armed || this.#endsAt === Number.POSITIVE_INFINITY) return
    this.#armed = true
    const milliseconds = Math.max(1, Math.min(this.#endsAt - performance.now(), limits.timerAtMostMs))
    const over = new Promise<void>((resolve) => {
      this.#over = resolve
    })
    // p-timeout makes an error of its own in advance, which nobody sees where there is a fallback.
    withoutStack(() => pTimeout(over, { milliseconds, fallback: this.#expire, customTimers }))
  }

  /** What was bounded is over, in whatever way. */
  end(): void {
    this.#armed = true
    this.#over?.()
  }
}
