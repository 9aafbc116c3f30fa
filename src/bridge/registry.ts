/**
 * This environment's side of the registry: reserves ids, keeps who waits for which, and settles them as outcomes
 * come back. Outcomes reach it straight from native code, whatever worker the attempt ran under.
 */

import { epochMs } from '../core/clock.js'
import type { Endpoint } from '../core/endpoint.js'
import { attemptsPerBatch, outcomesPerSlice } from '../core/limits.js'
import { domains } from '../core/sockaddr.js'
import { binding, type OutcomeField, type RequestField } from './binding.js'
import { askForSlice, safely, settleFrom, settleSlice } from './settling.js'

/** One connect(2) to ask for. */
export interface AttemptRequest {
  family: Endpoint['family']
  /** The remote sockaddr as the kernel takes it. */
  remote: Uint8Array
  /** The source sockaddr, if the caller fixed one. */
  local?: Uint8Array | undefined
  /** For connect(2) alone, kept by the kernel. Milliseconds; 0 is no limit. */
  timeoutMs: number
  /** Connect, verify, close: no descriptor comes back. */
  probe?: boolean
  /**
   * How a probe closes. A reset (the default) leaves no TIME_WAIT behind; the service may see an error. A FIN is an
   * ordinary end for the service, and keeps the local port in TIME_WAIT for a minute. With `halfOpen` it is always a reset.
   */
  closeWith?: 'reset' | 'fin' | undefined
  /** A probe whose handshake is not completed: reset after the SYN's answer, so that TCP listeners never accept it. */
  halfOpen?: boolean | undefined
}

/** How an attempt ended. Whatever it held is released by then, but for a claimed descriptor. */
export type Outcome = Times &
  (
    | { state: 'connected'; claim?: Claim; polled: number }
    | { state: 'failed'; errno: number; call: string; byDeadline: boolean }
    | { state: 'cancelled' }
    | { state: 'lost' }
  )

export interface Times {
  /** For people: milliseconds since the epoch. The wall clock may be set meanwhile, so nothing is reckoned with it. */
  startedAt: number
  /**
   * From the reservation to the start, on the monotonic clock: what a thread, a worker or a reactor was late by. Of an attempt
   * that never started, all its time.
   */
  waitedMs: number
  /** Of connect(2) or poll(2), on the monotonic clock. 0 where it never started. */
  durationMs: number
}

/** A connected descriptor that is JavaScript's. The holder ends it by `disown` or `close`, once. */
export interface Claim {
  readonly fd: number
  /** The descriptor is about to be given to a net.Socket, and will be disowned after that: a worker may be ended between. */
  handOver(): void
  /** The descriptor is the caller's alone from now on, and in no ledger. */
  disown(): number
  close(): void
}

/** What the native side is asked for; see struct attempt_request in native/attempt.h. A borrowed descriptor has its family. */
export interface NativeRequest extends Omit<AttemptRequest, 'family'> {
  family?: Endpoint['family']
  flags?: number
  fd?: number
  pollEvents?: number
}

/** Who asks for an attempt, and is told how it ended. */
export interface Waiter {
  /** There until it is reserved. */
  request: NativeRequest | undefined
  /** 0 until reserved. */
  id: number
  settle(outcome: Outcome): void
}

/** By the slot that an id names; see core/list.ts for why this is no Map. */
const waiting: (Waiter | undefined)[] = []
let waitingCount = 0
let held = false
/** Over, and no bell rings for them. */
let undrained = 0
const { attemptFlags, callNames, slots, stateNames } = binding
/** Where the numbers of a request and of an outcome stand. */
const requestAt = placesOf<RequestField>(binding.requestFields)
const requestFields = binding.requestFields.length
const outcomeAt = placesOf<OutcomeField>(binding.outcomeFields)
const outcomeFields = binding.outcomeFields.length
/** What native code reads and writes in the course of a call: buffers made for each would cost more than what is in them. */
const ids = new Float64Array(attemptsPerBatch)
const outcomes = new Float64Array(outcomesPerSlice * outcomeFields)
const requests = new Float64Array(attemptsPerBatch * requestFields)
let addresses = new Uint8Array(4_096)
let heldBack: number[] | undefined

function placesOf<Field extends string>(fields: readonly Field[]): Readonly<Record<Field, number>> {
  return Object.fromEntries(fields.map((field, place) => [field, place])) as Record<Field, number>
}

const nothing = new Uint8Array(0)

/** Writes `requests` and `addresses`. */
function pack(waiters: readonly Waiter[]): void {
  let length = 0
  for (const { request } of waiters) length += request!.remote.length + (request!.local?.length ?? 0)
  if (length > addresses.length) addresses = new Uint8Array(2 * length)
  let at = 0
  let address = 0
  for (const { request } of waiters) {
    const { family, timeoutMs, fd = -1, pollEvents = 0, remote, local = nothing } = request!
    requests[at + requestAt.flags] = flagsOf(request!)
    requests[at + requestAt.timeoutMs] = timeoutMs
    requests[at + requestAt.fd] = fd
    requests[at + requestAt.pollEvents] = pollEvents
    requests[at + requestAt.family] = family === undefined ? 0 : domains[family]
    requests[at + requestAt.remoteLength] = remote.length
    requests[at + requestAt.localLength] = local.length
    addresses.set(remote, address)
    addresses.set(local, address + remote.length)
    at += requestFields
    address += remote.length + local.length
  }
}

function flagsOf({ flags = 0, probe, closeWith, halfOpen }: NativeRequest): number {
  if (!probe) return flags
  const fin = closeWith === 'fin' && !halfOpen
  return flags | attemptFlags.probe | (halfOpen ? attemptFlags.halfOpen : 0) | (fin ? attemptFlags.fin : 0)
}

/**
 * Reserves an id and an address buffer for each of as many as travel together, in order, and says for how many: fewer
 * where native memory ran out; the rest holds nothing, and keeps the id 0. What is reserved must be started or forfeited, and
 * is settled once.
 */
function reserve(waiters: readonly Waiter[]): number {
  pack(waiters)
  const count = binding.reserve(requests, addresses, waiters.length, ids)
  for (let i = 0; i < count; i++) waitFor(ids[i]!, waiters[i]!)
  return count
}

/** A copy, which later calls leave as it is. */
function idsOf(waiters: readonly Waiter[]): Float64Array {
  writeIds(waiters)
  return ids.slice(0, waiters.length)
}

function writeIds(waiters: readonly Waiter[]): void {
  for (let i = 0; i < waiters.length; i++) ids[i] = waiters[i]!.id
}

function waitFor(id: number, waiter: Waiter): void {
  waiter.id = id
  const slot = id % slots
  while (waiting.length <= slot) waiting.push(undefined)
  waiting[slot] = waiter
  waitingCount += 1
}

/** The event loop stays alive while an attempt is not over. */
function keepAlive(): void {
  if (held === waitingCount > undrained) return
  held = !held
  binding.hold(held)
}

/** Asks for the end of a reserved attempt. It is settled when everything it held is released. */
function cancel(id: number): void {
  if (!heldBack) {
    ids[0] = id
    areOver(binding.cancel(ids, 1))
    return
  }
  heldBack.push(id)
  // Those that are told at once may be released while the others are still being asked for.
  if (heldBack.length === attemptsPerBatch) sendCancels()
}

/** Hands what is reserved to the reactors, which this environment has started. */
function submitToReactors(waiters: readonly Waiter[]): void {
  writeIds(waiters)
  areOver(binding.submitToReactors(ids, waiters.length))
}

/** So many ended as they were handed on or cancelled, and no bell rings for them: they settle after this turn's code. */
function areOver(count: number): void {
  undrained += count
  if (count > 0) askForSlice()
}

/** Hands what is reserved to a group of lanes. False where that group has closed, as its worker ended: nothing was handed over. */
function submitToLanes(group: number, waiters: readonly Waiter[]): boolean {
  writeIds(waiters)
  return binding.submitToLanes(group, ids, waiters.length) === 0
}

/** Sends the cancels that `run` asks for together, so that an abort shared by hundreds is one native call. */
function batchCancels(run: () => void): void {
  if (heldBack) {
    run()
    return
  }
  heldBack = []
  try {
    run()
  } finally {
    sendCancels()
    heldBack = undefined
  }
}

function sendCancels(): void {
  ids.set(heldBack!)
  if (heldBack!.length > 0) areOver(binding.cancel(ids, heldBack!.length))
  heldBack!.length = 0
}

/** The registry's part of a slice. */
function drain(room: number): number {
  const count = room > 0 ? binding.drain(outcomes, room) : 0
  for (let i = 0; i < count; i++) settleOne(i * outcomeFields)
  undrained = 0
  keepAlive()
  return count
}

function settleOne(at: number): void {
  const id = outcomes[at + outcomeAt.id]!
  const outcome = readOutcome(at, id)
  const waiter = waiting[id % slots]
  if (waiter?.id !== id) {
    // An id nobody waits for would be a defect; its descriptor must not be lost all the same.
    if (outcome.state === 'connected') outcome.claim?.close()
    return
  }
  waiting[id % slots] = undefined
  waitingCount -= 1
  safely(() => waiter.settle(outcome))
}

function readOutcome(at: number, id: number): Outcome {
  // 0 of one that never came to its connect(2).
  const startedAt = outcomes[at + outcomeAt.startedAt] || epochMs()
  const waitedMs = outcomes[at + outcomeAt.waitedMs]!
  const durationMs = outcomes[at + outcomeAt.durationMs]!
  const state = stateNames[outcomes[at + outcomeAt.state]!]!
  switch (state) {
    case 'connected':
      if (outcomes[at + outcomeAt.yields])
        return { state, claim: new RegistryClaim(id), startedAt, waitedMs, durationMs, polled: 0 }
      return { state, startedAt, waitedMs, durationMs, polled: outcomes[at + outcomeAt.revents]! }
    case 'failed': {
      const call = callNames[outcomes[at + outcomeAt.call]!]!
      const byDeadline = outcomes[at + outcomeAt.byDeadline] === 1
      return { state, errno: outcomes[at + outcomeAt.errno]!, call, byDeadline, startedAt, waitedMs, durationMs }
    }
    default:
      return { state, startedAt, waitedMs, durationMs }
  }
}

class RegistryClaim implements Claim {
  readonly fd: number
  readonly #id: number

  /** CONNECTED to CLAIMED. */
  constructor(id: number) {
    this.#id = id
    this.fd = binding.claim(id)
  }

  handOver(): void {
    binding.handOver(this.#id)
  }

  disown(): number {
    return binding.disown(this.#id)
  }

  close(): void {
    const owned = this.disown()
    if (owned >= 0) binding.close(owned)
  }
}

const own = { reserve, idsOf, keepAlive, cancel, submitToReactors, submitToLanes, batchCancels }

/**
 * The addon tells one listener an environment, and there may be several copies of this module over it: hot reload, a test's
 * fresh modules, two bundles. The first copy keeps who waits for which attempt, for all of them.
 */
const half: unique symbol = Symbol.for('cancelpoint.registry') as never
const addon: { [half]?: typeof own } = binding as never
if (!addon[half]) {
  settleFrom(drain)
  // The addon calls back once for any number of outcomes, until they are drained.
  if (binding.onOutcomes(settleSlice) < 0) throw new Error('cancelpoint: no memory is left to start with')
  addon[half] = own
}
export const registry = addon[half]
