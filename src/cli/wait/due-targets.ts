/** The targets of a wait as a check pulls them: each when it is due, over and over. */
import { clearTimeout, performance, setTimeout } from '../../core/clock.js'
import type { ReadTarget } from '../../core/target.js'
import type { Waiting } from '../../core/waiting.js'

type Next = IteratorResult<ReadTarget, void>

/** Ends when the check leaves it. Nothing of it keeps the process alive after that. */
export class DueTargets implements AsyncIterableIterator<ReadTarget, void> {
  readonly #waiting: Waiting
  readonly #targets: ReadonlyMap<string, ReadTarget>
  #asked: ((next: Next) => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(waiting: Waiting, targets: ReadonlyMap<string, ReadTarget>) {
    this.#waiting = waiting
    this.#targets = targets
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Asked one at a time, as a check does it. */
  next(): Promise<Next> {
    return new Promise((resolve) => {
      this.#asked = resolve
      this.look()
    })
  }

  /** To be called when a try has ended: another target may be the next one now. */
  look(): void {
    clearTimeout(this.#timer)
    if (!this.#asked) return
    const now = performance.now()
    const target = this.#waiting.take(now)
    if (target !== undefined) {
      this.#answer({ value: this.#targets.get(target)! })
      return
    }
    const dueInMs = this.#waiting.dueInMs(now)
    if (dueInMs !== undefined) this.#timer = setTimeout(() => this.look(), Math.ceil(dueInMs))
  }

  async return(): Promise<Next> {
    clearTimeout(this.#timer)
    const end: Next = { value: undefined, done: true }
    this.#answer(end)
    return end
  }

  #answer(next: Next): void {
    const asked = this.#asked
    this.#asked = undefined
    asked?.(next)
  }
}
