/** One target of a check: what is tried, and what it says of the target. */

import type { Outcome } from '../attempts.js'
import { type Call, closed, establish, refuseBlocked, requestFor, secure, verdict } from '../connect.js'
import { type Endpoint, formatTarget, type ParsedTarget, parseTarget } from '../core/address.js'
import type { ErrnoClass } from '../core/errno.js'
import * as limits from '../core/limits.js'
import { Descriptor } from '../descriptor.js'
import { errnos } from '../errnos.js'
import { ConnectError } from '../errors.js'
import type { CheckResult, Target } from '../types.js'
import type { CheckContext } from './check.js'

/** What a failure's class says of the target. A reason that lies on this side says nothing. */
const statusOf: Record<ErrnoClass, CheckResult['status']> = {
  refused: 'down',
  'timed-out': 'down',
  unreachable: 'down',
  busy: 'down',
  denied: 'down',
  protocol: 'down',
  name: 'unknown',
  local: 'unknown',
  misuse: 'unknown',
  pending: 'unknown',
  unknown: 'unknown',
}

/** Calls `done` once, later, with the result, or with none where the check was cancelled first. */
export function checkTarget(target: Target, context: CheckContext, done: (result?: CheckResult) => void): void {
  const { settings } = context
  let parsed: ParsedTarget
  try {
    parsed = parseTarget(target)
  } catch (error) {
    queueMicrotask(() => done(unreadable(target, error as Error)))
    return
  }
  const endpoint = parsed.kind === 'endpoint' && parsed.zone === undefined ? parsed.endpoint : undefined
  if (endpoint && !settings.tls && !refuseBlocked(endpoint, settings))
    checkEndpoint(formatTarget(target), endpoint, context, done)
  else checkCall(target, context).then(done)
}

/** The plain case, which a million targets are: one attempt, whose deadline the kernel keeps. */
function checkEndpoint(
  target: string,
  endpoint: Endpoint,
  context: CheckContext,
  done: (result?: CheckResult) => void,
): void {
  const { engine, cancellation, settings } = context
  const timeoutMs = Math.min(settings.attemptTimeoutMs, settings.timeoutMs ?? limits.callTimeoutMs)
  const request = requestFor(endpoint, { ...settings, attemptTimeoutMs: timeoutMs }, true)
  const running = engine.submit(request, (outcome) => {
    stop()
    done(outcome.state === 'cancelled' ? undefined : resultOf(target, endpoint, outcome, settings))
  })
  const stop = cancellation.onRequest(() => running.cancel())
}

function resultOf(target: string, endpoint: Endpoint, outcome: Outcome, settings: Call['options']): CheckResult {
  const { startedAt, durationMs } = outcome
  const result = { target, ...placeOf(endpoint), attempts: 1, startedAt }
  if (outcome.state === 'connected') return { ...result, status: 'up', connectMs: durationMs }
  const { code, errnoClass } = verdict(outcome, endpoint, settings)
  const byDeadline = outcome.state === 'failed' && outcome.byDeadline
  const reason = byDeadline ? noAnswerWithin(durationMs) : meaningOf(code)
  return { ...result, status: statusFor(code, errnoClass), errnoClass, code, reason }
}

/** Names, zones, TLS, block lists: everything that takes more than one step is a connect() that is closed again. */
async function checkCall(target: Target, context: CheckContext): Promise<CheckResult | undefined> {
  const { cancellation, settings, run } = context
  const startedAt = Date.now()
  const common = { target: formatTarget(target), startedAt }
  let call: Call | undefined
  try {
    const endpoint = await run({ ...settings, signal: cancellation.signal }, async (running) => {
      call = running
      const { claim, endpoint } = await establish(target, running)
      if (settings.tls) await closed(await secure(new Descriptor(claim).adopt(), target, running))
      else claim.close()
      return endpoint
    })
    const connectMs = call!.attempts.at(-1)!.durationMs
    return { ...common, ...placeOf(endpoint), status: 'up', connectMs, ...timesOf(call!) }
  } catch (error) {
    if (cancellation.requested) return undefined
    return { ...common, ...failureOf(error as Error), ...timesOf(call!) }
  }
}

const timesOf = ({ nameMs, attempts }: Call) => ({
  attempts: attempts.length,
  ...(nameMs === undefined ? {} : { nameMs }),
})

function failureOf(error: Error): Omit<CheckResult, 'target' | 'attempts' | 'startedAt'> {
  if (!(error instanceof ConnectError))
    return { status: 'unknown', code: 'ERR_CHECK', errnoClass: 'unknown', reason: error.message }
  const { code, errnoClass, address, port, path } = error
  const place = { ...(address && { address }), ...(port && { port }), ...(path && { path }) }
  const reason = error.timedOutBy === 'deadline' ? error.message : meaningOf(code)
  return { ...place, status: statusFor(code, errnoClass), errnoClass, code, reason }
}

function unreadable(target: Target, error: Error): CheckResult {
  const written = typeof target === 'string' ? target : JSON.stringify(target)
  const code = 'ERR_INVALID_TARGET'
  return {
    target: written,
    status: 'unknown',
    code,
    errnoClass: 'misuse',
    reason: error.message,
    attempts: 0,
    startedAt: Date.now(),
  }
}

/** A name that does not exist is down; one that could not be asked for says nothing. */
const statusFor = (code: string, errnoClass: ErrnoClass) => (code === 'ENOTFOUND' ? 'down' : statusOf[errnoClass])

const meaningOf = (code: string) => errnos.get(code)?.means ?? `failed with ${code}`

const noAnswerWithin = (durationMs: number) => `no answer within ${Math.round(durationMs)} ms`

function placeOf(endpoint: Endpoint): Pick<CheckResult, 'address' | 'port' | 'path'> {
  return endpoint.family === 'unix' ? { path: endpoint.path } : { address: endpoint.address, port: endpoint.port }
}
