/** Changes on their way to whoever takes them. They wait for a while, and the oldest are lost where nobody comes. */
import * as limits from '../core/limits.js'
import type { HealthChange } from '../types.js'

export class Changes {
  #waiting: HealthChange[] = []
  #lost = 0
  #end: { error?: Error } | undefined
  #wake: (() => void) | undefined

  get lost(): number {
    return this.#lost
  }

  add(change: HealthChange): void {
    this.#waiting.push(change)
    if (this.#waiting.length > limits.changesAtMost) {
      this.#waiting.shift()
      this.#lost += 1
    }
    this.#wake?.()
  }

  /** There are no more; with an error, the taker is told so. */
  end(error?: Error): void {
    this.#end ??= error ? { error } : {}
    this.#wake?.()
  }

  /** The oldest; undefined once there are no more. @throws the error of the end. */
  async take(): Promise<HealthChange | undefined> {
    for (;;) {
      const change = this.#waiting.shift()
      if (change) return change
      if (this.#end?.error) throw this.#end.error
      if (this.#end) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
