/**
 * A call's deadline, by p-timeout. A call that is one attempt, begun at once and with a shorter deadline of its own, needs
 * no timer: the deadline is armed by whatever has to be waited for beside that.
 */
import pTimeout from 'p-timeout'

import * as limits from './core/limits.js'
import { withoutStack } from './errors.js'

export class Deadline {
  readonly timeoutMs: number
  readonly #endsAt: number
  readonly #expire: () => void
  #work: Promise<unknown> | undefined
  #armed = false

  /** `timeoutMs` from `now`. `expire` asks for the end of the work, which settles once everything is released. */
  constructor(timeoutMs: number, now: number, expire: () => void) {
    this.timeoutMs = timeoutMs
    this.#endsAt = now + timeoutMs
    this.#expire = expire
  }

  /** From now on a timer keeps it, until the work has settled. Idempotent. */
  arm(): void {
    if (this.#armed || this.timeoutMs === Number.POSITIVE_INFINITY) return
    this.#armed = true
    if (this.#work) this.#set(this.#work)
  }

  /** What is bounded, once it is under way. */
  bound(work: Promise<unknown>): void {
    this.#work = work
    if (this.#armed) this.#set(work)
  }

  #set(work: Promise<unknown>): void {
    const left = this.#endsAt - performance.now()
    const milliseconds = Math.max(1, Math.min(left, limits.timerAtMostMs))
    const fallback = () => {
      this.#expire()
      return work
    }
    // p-timeout makes an error of its own in advance, which nobody sees. What the work comes to is told by the work.
    withoutStack(() => pTimeout(work, { milliseconds, fallback })).catch(() => {})
  }
}
