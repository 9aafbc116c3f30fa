/** What every client owes: with a server, nothing left after its end; while it connects, nothing left at its rejection. */
import { type EventEmitter, once } from 'node:events'
import { connect } from 'cancelpoint'
import { expect } from 'vitest'

import { atSettlement, expectAbort, type Settlement } from '../support/cancelled.js'
import { type Held, held } from '../support/counts.js'
import { blockedInConnect, countCalls } from '../support/moments.js'
import { engines } from '../support/warm-up.js'
import { connectOver } from './recipes.js'

let warm: Promise<unknown> | undefined

/** What managers open once and for good. */
async function warmUp(): Promise<void> {
  const connects = [connect, ...(await Promise.all(engines.map(connectOver)))]
  await Promise.all(connects.map((each) => each('unix:@cancelpoint-nobody-listens', { retry: false }).catch(() => {})))
}

/** What is held once the sockets that a client has ended are closed. */
async function heldWhenClosed(): Promise<Held> {
  warm ??= warmUp()
  await warm
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')
  await expect.poll(sockets).toEqual([])
  return held()
}

/** Runs it twice: the first time opens what the client and Node keep for good. */
export async function leavesNothing(use: () => Promise<void>): Promise<void> {
  await use()
  const before = await heldWhenClosed()
  await use()
  expect(await heldWhenClosed()).toEqual(before)
}

/** Starts a call that connects to where nobody answers, aborts it there, and looks at what is held as it rejects. */
export async function abortInConnect(
  start: (signal: AbortSignal) => Promise<unknown>,
  abort = (controller: AbortController) => controller.abort(new Error('changed my mind')),
): Promise<Settlement & { before: Held; signal: AbortSignal }> {
  const before = await heldWhenClosed()
  countCalls()
  const controller = new AbortController()
  const { signal } = controller
  const call = atSettlement(start(signal), signal)
  await blockedInConnect()
  abort(controller)
  return { ...(await call), before, signal }
}

/** For calls that are cancelpoint's own, or hand its error on. */
export async function expectAbortInConnect(start: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const { before, signal, ...settlement } = await abortInConnect(start)
  expectAbort(settlement, signal, before)
}

/** For clients that reject by themselves, and may do so a moment before the connect has let go. */
export async function expectAbortOfConnect(start: (signal: AbortSignal) => Promise<unknown>, error: object) {
  const settlement = await abortInConnect(start)
  expect(settlement.error).toMatchObject(error)
  expect(settlement.listeners).toBe(0)
  await expect.poll(held).toEqual(settlement.before)
}

/** For a client's own limit to a connect. */
export async function expectLimitOfConnect(start: () => Promise<unknown>, error: object): Promise<void> {
  const before = await heldWhenClosed()
  await expect(start()).rejects.toMatchObject(error)
  await expect.poll(held).toEqual(before)
}

/** For a client that has a way of its own to end it, and then emits `ended` or an error. */
export async function expectEndOfConnect<Client extends EventEmitter>(
  open: () => Client,
  ended: string,
  end: (client: Client) => void,
): Promise<void> {
  let client: Client
  const start = () => {
    client = open()
    return once(client, ended)
  }
  const { before } = await abortInConnect(start, () => end(client))
  await expect.poll(held).toEqual(before)
}
