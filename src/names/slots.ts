/** So many at a time; the others wait in a line that they can leave. */
import { settleSoon } from '../bridge/settling.js'

export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(free: number) {
    this.#free = free
  }

  /** True once a slot is taken, false for a caller that left the line by calling what `onWait` was given. */
  take(onWait: (leave: () => void) => void): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const enter = () => resolve(true)
      this.#waiting.add(enter)
      onWait(() => {
        if (this.#waiting.delete(enter)) settleSoon(() => resolve(false))
      })
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
