/** From an attempt's outcome to what it says: the verdict, the error, the record. */
import type { Outcome } from '../bridge/registry.js'
import type { Endpoint } from '../core/endpoint.js'
import { advise } from '../core/errno.js'
import { type Failed, speaker, type Verdict, verdictOn } from '../core/verdict.js'
import type { Engine } from '../engines/engine.js'
import { withoutStack } from '../errors/abort-error.js'
import { ConnectError, noAddressError, noAnswerWithin } from '../errors/connect-error.js'
import { codeOf, isFamilyDisabled } from '../errors/errnos.js'
import type { AttemptRecord } from '../types.js'
import type { Call } from './call.js'
import { fixesSource, sourceFor } from './request.js'
import type { CallSettings } from './settings.js'

/** What an attempt's failure says; undefined where it did not fail. */
export function verdictOf(outcome: Outcome, endpoint: Endpoint, settings: CallSettings): Verdict | undefined {
  const failed = failedBy(outcome, endpoint, settings)
  return failed && verdictOn(failed)
}

/** The error of an attempt that failed. */
export function errorOf(outcome: Outcome, endpoint: Endpoint, { settings, attempts }: Call): ConnectError {
  const failed = failedBy(outcome, endpoint, settings)!
  // bind fails at the source.
  const at = failed.syscall === 'bind' ? sourceFor(endpoint, settings) : endpoint
  return withoutStack(() => new ConnectError({ ...failed, endpoint: at, attempts }))
}

/** Of several addresses' errors one speaks for the call, and carries them all. */
export function combine(errors: ConnectError[], { attempts, hostname }: Call): ConnectError {
  const speaks = speaker(errors) ?? noAddressError(hostname!)
  return withoutStack(() => speaks.forCall(attempts, errors))
}

export function recordOf(
  outcome: Outcome,
  verdict: Verdict | undefined,
  endpoint: string,
  engine: Engine,
): AttemptRecord {
  const { state, startedAt, durationMs } = outcome
  const record: AttemptRecord = { endpoint, engine: engine.name, startedAt, durationMs }
  if (verdict) {
    record.code = verdict.code
    record.errnoClass = verdict.errnoClass
  } else if (state === 'cancelled') record.code = 'ABORT_ERR'
  return record
}

const noFreePort = advise('EADDRNOTAVAIL', 'local')

function failedBy(outcome: Outcome, endpoint: Endpoint, settings: CallSettings): Failed | undefined {
  if (outcome.state === 'connected' || outcome.state === 'cancelled') return undefined
  if (outcome.state === 'lost') return { code: 'ERR_WORKER_ENDED', syscall: 'connect', errnoClass: 'local' }
  const code = codeOf(outcome.errno)
  const { call: syscall, byDeadline } = outcome
  // Without IP_BIND_ADDRESS_NO_PORT bind looks for a free port itself, and says so where there is none.
  const noPort = syscall === 'bind' && code === 'EADDRINUSE' && !settings.localPort
  return {
    code,
    syscall,
    phase: 'connect',
    family: endpoint.family,
    localFixed: fixesSource(settings),
    familyDisabled: isFamilyDisabled(code, endpoint.family),
    timedOutBy: code === 'ETIMEDOUT' ? (byDeadline ? 'deadline' : 'kernel') : undefined,
    errnoClass: noPort ? 'local' : undefined,
    advice: byDeadline ? noAnswerWithin(settings.attemptTimeoutMs) : noPort ? noFreePort : undefined,
  }
}
