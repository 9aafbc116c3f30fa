/** So many questions at a time, as a window allows; the others wait in a line that they can leave. */
import { settleSoon } from '../bridge/settling.js'
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import type { InFlightWindow } from '../core/window.js'

export class QuestionLine {
  readonly #window: InFlightWindow
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  constructor(window: InFlightWindow) {
    this.#window = window
  }

  /** True once there is room, false for a caller that left the line by calling what `onWait` was given. */
  take(onWait: (leave: () => void) => void): Promise<boolean> {
    if (this.#waiting.size === 0 && this.#window.enter(performance.now())) return Promise.resolve(true)
    return new Promise((resolve) => {
      const enter = () => resolve(true)
      this.#waiting.add(enter)
      onWait(() => {
        if (!this.#waiting.delete(enter)) return
        if (this.#waiting.size === 0) this.#sleep()
        settleSoon(() => resolve(false))
      })
      this.#advance()
    })
  }

  give(): void {
    this.#window.leave()
    this.#advance()
  }

  /** The server has more questions than it takes: see InFlightWindow.cut. */
  cut(): void {
    this.#window.cut(performance.now())
  }

  #advance(): void {
    for (const enter of this.#waiting) {
      if (!this.#window.enter(performance.now())) {
        this.#wake()
        return
      }
      this.#waiting.delete(enter)
      enter()
    }
    this.#sleep()
  }

  /** A full window may grow after a while. */
  #wake(): void {
    const waitMs = this.#window.waitMs(performance.now())
    if (this.#timer || waitMs === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#advance()
    }, Math.ceil(waitMs))
  }

  /** Nothing waits: no timer may keep the process alive. */
  #sleep(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
