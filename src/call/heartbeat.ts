/**
 * The process's one beat, which tells how long its event loop was held up. It beats while a deadline of JavaScript's is
 * kept, and holds nothing alive.
 */
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import { Lateness } from '../core/lateness.js'
import * as limits from '../core/limits.js'

const lateness = new Lateness(limits.beatMs, limits.beatToleranceMs, performance.now())
let users = 0
let timer: NodeJS.Timeout | undefined

/** Milliseconds in all so far: two readings tell how long the loop was held up between them. */
export const heldUpMs = (): number =>
  users > 0 ? lateness.heldMs(performance.now()) : lateness.heldMs(Number.NEGATIVE_INFINITY)

/** From now on held-up time is counted, until as many have called `stop` as have called this. */
export function startBeat(): void {
  users += 1
  if (users > 1) return
  lateness.resume(performance.now())
  next()
}

export function stopBeat(): void {
  users -= 1
  if (users > 0) return
  clearTimeout(timer)
  lateness.beat(performance.now())
}

function next(): void {
  timer = setTimeout(() => {
    lateness.beat(performance.now())
    next()
  }, limits.beatMs)
  timer.unref()
}
