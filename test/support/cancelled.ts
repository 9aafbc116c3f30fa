/** What every cancelled call owes at the moment of its rejection. */
import { expect } from 'vitest'
import { type Held, held, listenersOn } from './counts.js'

/** Looks in the very microtask in which the promise settles: what is released later was released too late. */
export function atSettlement<T>(call: Promise<T>, signal: AbortSignal) {
  const look = () => ({ held: held(), listeners: listenersOn(signal) })
  return call.then(
    (value) => ({ value, error: undefined, ...look() }),
    (error: NodeJS.ErrnoException) => ({ value: undefined, error, ...look() }),
  )
}

export type Settlement = Awaited<ReturnType<typeof atSettlement>>

export function expectAbort({ error, held, listeners }: Settlement, signal: AbortSignal, before: Held): void {
  expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
  expect(error!.cause).toBe(signal.reason)
  expect({ held, listeners }).toEqual({ held: before, listeners: 0 })
}
