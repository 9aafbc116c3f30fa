/**
 * This environment's side of the registry: reserves ids, keeps who waits for which, and settles them as outcomes
 * come back. Outcomes reach it straight from native code, whatever worker the attempt ran under.
 */

import { epochMs } from '../core/clock.js'
import { attemptsPerTask, outcomesPerSlice } from '../core/limits.js'
import { littleEndian } from '../core/sockaddr.js'
import { AttemptFlag, AttemptState, binding, outcomeFields } from './binding.js'
import { askForSlice, safely, settleFrom, settleSlice } from './settling.js'

/** One connect(2) to ask for. */
export interface AttemptRequest {
  /** The remote sockaddr as the kernel takes it. */
  remote: Uint8Array
  /** The source sockaddr, if the caller fixed one. */
  local?: Uint8Array | undefined
  /** For connect(2) alone, kept by the kernel. Milliseconds; 0 is no limit. */
  timeoutMs: number
  /** Connect, verify, reset: no descriptor comes back. */
  probe?: boolean
  /** A probe whose handshake is not completed: reset after the SYN's answer, so that TCP listeners never accept it. */
  halfOpen?: boolean | undefined
}

/** How an attempt ended. Whatever it held is released by then, but for a claimed descriptor. */
export type Outcome =
  | { state: 'connected'; claim?: Claim; startedAt: number; durationMs: number; polled: number }
  | { state: 'failed'; errno: number; call: string; byDeadline: boolean; startedAt: number; durationMs: number }
  | { state: 'cancelled'; startedAt: number; durationMs: number }
  | { state: 'lost'; startedAt: number; durationMs: number }

/** A connected descriptor that is JavaScript's: whoever holds this ends it by `disown` or `close`, once. */
export interface Claim {
  readonly fd: number
  /** The descriptor is about to be given to a net.Socket, and will be disowned after that: a worker may be ended between. */
  handOver(): void
  /** The descriptor is the caller's alone from now on, and in no ledger. */
  disown(): number
  close(): void
}

/** What the native side is asked for; see struct attempt_request in native/attempt.h. */
export interface NativeRequest extends AttemptRequest {
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
/** Over by the time they were handed on, so that no bell rings for them. */
let undrained = 0
/** An id is its slot's generation and, below so much, the slot: native/registry.c. */
const slots = 2 ** 22
/** What native code reads and writes in the course of a call: buffers made for each would cost more than what is in them. */
const ids = new Float64Array(attemptsPerTask)
const outcomes = new Float64Array(outcomesPerSlice * outcomeFields)
let records = new Uint8Array(4_096)
let view = new DataView(records.buffer)
let heldBack: number[] | undefined

const headerBytes = 20
const padded = (length: number) => (length + 3) & ~3

const nothing = new Uint8Array(0)

function pack(waiters: readonly Waiter[]): Uint8Array {
  let length = 0
  for (const { request } of waiters)
    length += padded(headerBytes + request!.remote.length + (request!.local?.length ?? 0))
  if (length > records.length) {
    records = new Uint8Array(2 * length)
    view = new DataView(records.buffer)
  }
  let at = 0
  for (const { request } of waiters) {
    const { timeoutMs, fd, pollEvents, remote, local = nothing } = request!
    view.setUint32(at, flagsOf(request!), littleEndian)
    view.setUint32(at + 4, Math.min(timeoutMs, 0xffff_ffff), littleEndian)
    view.setInt32(at + 8, fd ?? -1, littleEndian)
    view.setInt16(at + 12, pollEvents ?? 0, littleEndian)
    view.setUint16(at + 14, remote.length, littleEndian)
    view.setUint16(at + 16, local.length, littleEndian)
    records.set(remote, at + headerBytes)
    records.set(local, at + headerBytes + remote.length)
    at += padded(headerBytes + remote.length + local.length)
  }
  return records
}

function flagsOf({ flags = AttemptFlag.none, probe, halfOpen }: NativeRequest): number {
  return flags | (probe ? AttemptFlag.probe : 0) | (probe && halfOpen ? AttemptFlag.halfOpen : 0)
}

/**
 * Reserves an id and an address buffer for each of as many as travel together, in order, and says for how many: fewer
 * where native memory ran out; the rest holds nothing, and keeps the id 0. What is reserved must be started or forfeited, and
 * is settled once.
 */
export function reserve(waiters: readonly Waiter[]): number {
  const count = binding.reserve(pack(waiters), waiters.length, ids)
  for (let i = 0; i < count; i++) waitFor(ids[i]!, waiters[i]!)
  return count
}

/** For a worker, or for later. */
export function idsOf(waiters: readonly Waiter[]): Float64Array {
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

/** Whoever waits for what is not over yet keeps the event loop alive. */
export function keepAlive(): void {
  if (held === waitingCount > undrained) return
  held = !held
  binding.hold(held)
}

/** Asks for the end of a reserved attempt. It is settled when everything it held is released. */
export function cancel(id: number): void {
  if (!heldBack) {
    ids[0] = id
    binding.cancel(ids, 1)
    return
  }
  heldBack.push(id)
  // Those that are told at once may be released while the others are still being asked for.
  if (heldBack.length === attemptsPerTask) sendCancels()
}

/** Hands what is reserved to the reactor, which this environment has started. */
export function submit(waiters: readonly Waiter[]): void {
  writeIds(waiters)
  const over = binding.submit(ids, waiters.length)
  undrained += over
  if (over > 0) askForSlice()
}

/** Sends the cancels that `run` asks for together, so that an abort shared by hundreds is one native call. */
export function batchCancels(run: () => void): void {
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
  if (heldBack!.length > 0) binding.cancel(ids, heldBack!.length)
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
  const id = outcomes[at]!
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
  const startedAt = outcomes[at + 5] || epochMs()
  const durationMs = outcomes[at + 6]!
  const byDeadline = (outcomes[at + 4]! & 1) !== 0
  const yields = (outcomes[at + 4]! & 2) !== 0
  switch (outcomes[at + 1]) {
    case AttemptState.connected:
      if (yields) return { state: 'connected', claim: new OwnClaim(id), startedAt, durationMs, polled: 0 }
      return { state: 'connected', startedAt, durationMs, polled: outcomes[at + 7]! }
    case AttemptState.failed: {
      const call = binding.callNames[outcomes[at + 3]!]!
      return { state: 'failed', errno: outcomes[at + 2]!, call, byDeadline, startedAt, durationMs }
    }
    case AttemptState.cancelled:
      return { state: 'cancelled', startedAt, durationMs }
    default:
      return { state: 'lost', startedAt, durationMs }
  }
}

class OwnClaim implements Claim {
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

// The addon calls back once for any number of outcomes, until they are drained.
settleFrom(drain)
if (binding.onOutcomes(settleSlice) < 0) throw new Error('cancelpoint: no memory is left to start with')
