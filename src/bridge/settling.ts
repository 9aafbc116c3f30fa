/**
 * The pace at which promises settle. After a slice of `outcomesPerSlice` nothing is settled until the event loop has gone
 * round, so that thousands of rejections do not hold it. Outcomes of native code and what JavaScript alone knows of share
 * the slices; this module does not load the addon, the registry plugs its outcomes in.
 */
import { setImmediate } from '../core/clock.js'
import { outcomesPerSlice } from '../core/limits.js'

/** Settles up to `room` outcomes, and says how many there were. */
export type Drain = (room: number) => number

let drain: Drain | undefined
/** What has no outcome of native code, oldest first. */
const waiting: (() => void)[] = []
let settledInSlice = 0
let isAsked = false
let isPausing = false
/** A microtask by way of a promise: tests fake queueMicrotask. */
const resolved = Promise.resolve()

/** From now on these outcomes are settled at this pace, whenever settleSlice is called. */
export function settleFrom(outcomes: Drain): void {
  drain = outcomes
}

/** Settles something that no native code knows of, after this turn's code and at the same pace as outcomes. */
export function settleSoon(settle: () => void): void {
  waiting.push(settle)
  askForSlice()
}

/** Settles what waits, after this turn's code. */
export function askForSlice(): void {
  if (isAsked) return
  isAsked = true
  resolved.then(() => {
    isAsked = false
    settleSlice()
  })
}

/** Settles as much as the pace allows now; the rest follows by itself. */
export function settleSlice(): void {
  if (isPausing) return
  const some = waiting.splice(0, outcomesPerSlice - settledInSlice)
  settledInSlice += some.length
  for (const settle of some) safely(settle)
  settledInSlice += drain?.(outcomesPerSlice - settledInSlice) ?? 0
  if (settledInSlice === outcomesPerSlice) pause()
}

/** Something is over that has not been settled yet, because the pace has to be kept. */
export const isBehind = (): boolean => isPausing || waiting.length > 0

function pause(): void {
  isPausing = true
  setImmediate(() => {
    isPausing = false
    settledInSlice = 0
    settleSlice()
  })
}

/** Runs `settle`. What it throws, a defect or a caller's own code, is uncaught all the same, and costs the others nothing. */
export function safely(settle: () => void): void {
  try {
    settle()
  } catch (error) {
    leaveUncaught(error)
  }
}

/** For what must not be thrown here: the process hears of it as of every uncaught exception. */
export function leaveUncaught(error: unknown): void {
  setImmediate(() => {
    throw error
  })
}
