/** What the process holds, counted from outside and from within. */
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import type { held } from './held.mjs'

export { held, openDescriptors } from './held.mjs'

export const threads = (): number => readdirSync('/proc/self/task').length

export const listenersOn = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

export type Held = ReturnType<typeof held>

export const nothingLeft = { descriptors: 0, buffers: 0, lanes: 0, attempts: 0 }
