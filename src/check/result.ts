/** From what became of a target to its CheckResult. */
import type { Call } from '../call/call.js'
import { epochMs } from '../core/clock.js'
import type { Endpoint } from '../core/endpoint.js'
import { InvalidTargetError, toText } from '../core/invalid-target.js'
import { clause, sentence } from '../core/text.js'
import { verdictOfAll } from '../core/verdict.js'
import { ConnectError } from '../errors/connect-error.js'
import type { CheckResult } from '../types.js'
import type { Spoken } from './conversation.js'
import { type Checkable, textOf } from './planned-target.js'

export function upResult(
  target: string,
  startedAt: number,
  endpoint: Endpoint,
  call: Call,
  spoken?: Spoken,
): CheckResult {
  return { target, startedAt, ...placeOf(endpoint), status: 'up', ...timesOf(call), ...toldBy(spoken) }
}

/** `call`: the one that failed, if there was one. */
export function failedResult(
  target: string,
  startedAt: number,
  error: unknown,
  call?: Call,
  spoken?: Spoken,
): CheckResult {
  const what = error instanceof ConnectError ? failureOf(error, call) : defectOf(error)
  return { target, startedAt, ...what, ...timesOf(call), ...toldBy(spoken) }
}

/** A target that could not be read, or that gives itself what no check knows. */
export function unreadableResult(given: Checkable, error: unknown): CheckResult {
  return {
    target: textOf(given),
    status: 'unknown',
    code: 'ERR_INVALID_TARGET',
    errnoClass: 'misuse',
    reason:
      error instanceof InvalidTargetError
        ? sentence(error.message)
        : sentence(`it cannot be checked: ${wordsOf(error)}`),
    attempts: 0,
    startedAt: epochMs(),
  }
}

type What = Omit<CheckResult, 'target' | 'attempts' | 'startedAt'>

/** Of several addresses one may speak that is not the one whose error was thrown. */
function failureOf(thrown: ConnectError, call: Call | undefined): What {
  const errors = thrown.errors ?? [thrown]
  const verdict = verdictOfAll(errors.map(ConnectError.verdictOf))!
  const speaks = errors.find((error) => ConnectError.verdictOf(error) === verdict)!
  const { status, code, errnoClass, phase, means } = verdict
  const other = ConnectError.verdictOf(thrown)
  const reason =
    status === other.status
      ? means
      : sentence(`${clause(means)}, so one of its addresses was not tried; another said: ${clause(other.means)}`)
  const { syscall, address, port, path } = speaks
  const own = { ...(address && { address }), ...(port && { port }), ...(path && { path }) }
  // bind's error tells the source address, and the target is what was checked.
  const place = syscall === 'bind' ? call?.endpoint && placeOf(call.endpoint) : own
  return { ...place, status, errnoClass, code, phase, reason }
}

/** A caller's own lookup or block list threw something that is none of a connect's errors. */
function defectOf(error: unknown): What {
  const reason = sentence(`it could not be checked: ${wordsOf(error)}`)
  return { status: 'unknown', code: 'ERR_CHECK', errnoClass: 'unknown', reason }
}

/** What a caller's code threw may be anything. */
function wordsOf(thrown: unknown): string {
  try {
    const { message } = Object(thrown)
    if (typeof message === 'string') return message
  } catch {
    // Its message is a getter that throws.
  }
  return `${toText(thrown)} was thrown`
}

function placeOf(endpoint: Endpoint): Pick<CheckResult, 'address' | 'port' | 'path'> {
  return endpoint.family === 'unix' ? { path: endpoint.path } : { address: endpoint.address, port: endpoint.port }
}

function timesOf(call: Call | undefined): Pick<CheckResult, 'attempts' | 'connectMs' | 'nameMs'> {
  if (!call) return { attempts: 0 }
  const { nameMs, connectMs } = call.timings
  return {
    attempts: call.attempts.length,
    ...(connectMs !== undefined && { connectMs }),
    ...(nameMs !== undefined && { nameMs: rounded(nameMs) }),
  }
}

function toldBy(spoken: Spoken = {}): Spoken {
  const { tlsMs, stepsMs } = spoken
  return {
    ...spoken,
    ...(tlsMs !== undefined && { tlsMs: rounded(tlsMs) }),
    ...(stepsMs !== undefined && { stepsMs: rounded(stepsMs) }),
  }
}

/** To microseconds: a difference of two floating-point numbers has digits that nobody measured. */
export const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000
