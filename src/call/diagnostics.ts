/**
 * What happens inside, on node:diagnostics_channel. Nothing is built where nobody listens.
 *
 *   cancelpoint:attempt:start    { endpoint, engine }                                      handed to its engine
 *   cancelpoint:attempt:end      { endpoint, engine, state, startedAt, durationMs, code?, errnoClass? }
 *   cancelpoint:attempt:cancel   { endpoint, engine }                                      a cancel was asked for
 *   cancelpoint:retry            { target, code, errnoClass, action, delayMs }             once more after delayMs
 *   cancelpoint:delivery         { target, attempts, durationMs }                          the caller's from now on
 */
import { channel } from 'node:diagnostics_channel'

import type { Outcome } from '../bridge/registry.js'
import { performance } from '../core/clock.js'
import type { Decision, Failure } from '../core/retry.js'
import { formatParsed, type ParsedTarget } from '../core/target.js'
import type { Engine } from '../engines/engine.js'
import type { AttemptRecord } from '../types.js'

interface Subject {
  endpoint: string
  engine: Engine
}

interface Delivered {
  target: ParsedTarget
  attempts: readonly AttemptRecord[]
  /** As performance.now() had it. */
  startedAt: number
}

const start = channel('cancelpoint:attempt:start')
const end = channel('cancelpoint:attempt:end')
const cancel = channel('cancelpoint:attempt:cancel')
const retries = channel('cancelpoint:retry')
const deliveries = channel('cancelpoint:delivery')

export function attemptStart(attempt: Subject): void {
  if (start.hasSubscribers) start.publish(told(attempt))
}

export function attemptEnd(attempt: Subject, outcome: Outcome, failure: Failure | undefined): void {
  if (!end.hasSubscribers) return
  const { state, startedAt, durationMs } = outcome
  const why = failure && { code: failure.code, errnoClass: failure.errnoClass }
  end.publish({ ...told(attempt), state, startedAt, durationMs, ...why })
}

export function attemptCancel(attempt: Subject): void {
  if (cancel.hasSubscribers) cancel.publish(told(attempt))
}

/** Its endpoint is put into words here, where somebody listens. */
const told = ({ endpoint, engine }: Subject) => ({ endpoint, engine: engine.name })

export function retry(target: string, { code, errnoClass }: Failure, decision: Decision): void {
  if (retries.hasSubscribers) retries.publish({ target, code, errnoClass, ...decision })
}

/** `call`: the one whose socket or descriptor is the caller's from now on. */
export function delivery({ target, attempts, startedAt }: Delivered): void {
  if (!deliveries.hasSubscribers) return
  deliveries.publish({ target: formatParsed(target), attempts, durationMs: performance.now() - startedAt })
}
