/**
 * The alarms of all calls, over one timer of p-timeout's: ten thousand calls that wait their turn would be as many timers, each
 * larger than what else such a call holds.
 */
import pTimeout, { type Options } from 'p-timeout'

import { safely } from '../bridge/settling.js'
import { clearTimeout, mayLoseTimers, performance, setTimeout } from '../core/clock.js'
import { Due, Schedule, tickMs } from '../core/schedule.js'
import { withoutStack } from '../errors/abort-error.js'

const customTimers = { setTimeout, clearTimeout } as Options<unknown>['customTimers']

export abstract class Alarm extends Due {
  /** Where timers may be lost, its own. */
  stop: (() => void) | undefined

  /** Its time has come. It is set no more. */
  abstract ring(): void
}

const schedule = new Schedule<Alarm>(performance.now())
let timer: { dueAt: number; stop(): void } | undefined

/** Rings once, after so many milliseconds or a little later. One that is set already must be cleared before. */
export function setAlarm(alarm: Alarm, ms: number): void {
  if (mayLoseTimers) {
    alarm.stop = after(ms, () => alarm.ring())
    return
  }
  const now = performance.now()
  // Nothing has turned the wheel while there was nothing in it.
  if (schedule.size === 0) schedule.take(now)
  schedule.add(alarm, now + ms)
  // It is taken at the end of its tick.
  if (!timer || timer.dueAt > alarm.dueAt + tickMs) startTimer(now)
}

/** Idempotent. */
export function clearAlarm(alarm: Alarm): void {
  alarm.stop?.()
  alarm.stop = undefined
  if (schedule.delete(alarm) && schedule.size === 0) stopTimer()
}

function startTimer(now: number): void {
  stopTimer()
  const waitMs = schedule.waitMs(now)
  if (waitMs === undefined) return
  const ms = Math.max(1, Math.ceil(waitMs))
  timer = { dueAt: now + ms, stop: after(ms, ringAll) }
}

function stopTimer(): void {
  timer?.stop()
  timer = undefined
}

function ringAll(): void {
  timer = undefined
  const now = performance.now()
  for (let alarm = schedule.take(now); alarm; alarm = schedule.take(now)) {
    const due = alarm
    safely(() => due.ring())
  }
  startTimer(performance.now())
}

/** Calls `ring` in so many milliseconds, unless the result is called before. */
function after(milliseconds: number, ring: () => void): () => void {
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  // p-timeout makes an error of its own in advance, which nobody sees where there is a fallback.
  const timed = withoutStack(() => pTimeout(stopped, { milliseconds, fallback: ring, customTimers }))
  // The process may have replaced Error.captureStackTrace, by which it does so, with one that throws.
  timed.catch(() => {
    const timer = setTimeout(ring, milliseconds)
    stopped.then(() => clearTimeout(timer))
  })
  return stop
}
