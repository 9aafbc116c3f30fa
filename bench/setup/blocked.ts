/** Connects that hang: what the cancellation scenarios abort. */
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import { ConnectionManager, ledger } from '../../src/index.js'
import type { EngineName } from '../../src/types.js'
import { type OpenStage, stageOf } from '../scenario.js'
import { type HangingListeners, openHanging } from './servers.js'
import { address } from './targets.js'

export type Hanging = Pick<HangingListeners, 'port' | 'path'>

export const openHangingStage = async (): Promise<OpenStage<Hanging>> => stageOf(await openHanging())

/** A contestant's name. */
export const nameOf = (size: number, engine: EngineName) => `${size.toLocaleString('en')} in flight, ${engine}`

/** No deadline ends an attempt before it is aborted. */
export function managerFor(inFlight: number, engine: EngineName = 'blocking'): ConnectionManager {
  return new ConnectionManager({ engine, maxInFlight: inFlight, timeoutMs: 120_000, attemptTimeoutMs: 120_000 })
}

export const tcpTarget = (stage: Hanging, index: number) => `${address(index)}:${stage.port}`

/** One connect that hangs, and when it was told so. */
export interface Blocked {
  controller: AbortController
  /** Resolves to the moment of the rejection. */
  rejected: Promise<number>
}

export function block(manager: ConnectionManager, target: string): Blocked {
  const controller = new AbortController()
  const rejected = manager.connect(target, { signal: controller.signal }).then(
    () => {
      throw new Error(`${target} answered: it was to hang`)
    },
    (error) => {
      if (error.code !== 'ABORT_ERR') throw error
      return performance.now()
    },
  )
  return { controller, rejected }
}

/** Once so many lanes have a descriptor, and time enough to be asleep in connect(2). */
export async function untilBlocked(count: number): Promise<void> {
  while (ledger().descriptors !== count) await sleep(1)
  await sleep(2)
}

/** Workers, lanes and resolver are started, and after a thousand cancels the code is compiled. */
export async function warmUp(manager: ConnectionManager, target: string, cancels = 1_000): Promise<void> {
  const atOnce = Math.min(manager.stats().engines.nonblocking.limit, cancels, 50)
  for (let cancelled = 0; cancelled < cancels; cancelled += atOnce) {
    const blocked = Array.from({ length: atOnce }, () => block(manager, target))
    while (ledger().descriptors !== atOnce) await new Promise(setImmediate)
    for (const { controller, rejected } of blocked) {
      controller.abort()
      await rejected
    }
  }
}

export const openDescriptors = () => readdirSync('/proc/self/fd').length

export const openSockets = () => readdirSync('/proc/self/fd').filter(isSocket).length

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false // the listing's own, closed by now
  }
}

export const threads = () => readdirSync('/proc/self/task').length
