/** What the process holds, counted from outside and from within. */
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { ledger } from 'cancelpoint'

export const openDescriptors = (): number => readdirSync('/proc/self/fd').length

export const threads = (): number => readdirSync('/proc/self/task').length

export const listenersOn = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

/** What a call may hold. Lanes are left out: a lane that was cancelled is joined after the rejection. */
export function held() {
  const { descriptors, buffers, attempts } = ledger()
  return { open: openDescriptors(), descriptors, buffers, attempts }
}

export type Held = ReturnType<typeof held>

export const nothingLeft = { descriptors: 0, buffers: 0, lanes: 0, attempts: 0 }
