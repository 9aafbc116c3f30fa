/** What calls reject with. An AbortError looks as Node's own does; everything else says what to do next. */

import type { Advice } from '../core/advice.js'
import { type Endpoint, formatEndpoint } from '../core/endpoint.js'
import { advise, classes, type ErrnoClass } from '../core/errno.js'
import { nameErrors } from '../core/error-name.js'
import * as limits from '../core/limits.js'
import { clause, printable } from '../core/text.js'
import { type Failed, type Phase, type Verdict, verdictOn } from '../core/verdict.js'
import type { AttemptRecord } from '../types.js'
import { errnoOf } from './errnos.js'

export interface ConnectErrorOptions extends Failed {
  /** Negative; by the code where absent. */
  errno?: number | undefined
  /** What it failed at: the target's endpoint, but for bind the source. Port 0 where the kernel was to choose. */
  endpoint?: Endpoint | undefined
  /** The name that was asked for, where that is what failed. */
  hostname?: string | undefined
  attempts?: AttemptRecord[] | undefined
  /** One an address, where several were tried. */
  errors?: ConnectError[] | undefined
  cause?: unknown
}

/** A connect that failed: `connect ECONNREFUSED 127.0.0.1:9: nothing listens there; start the service or check the port`. */
export class ConnectError extends Error {
  static {
    nameErrors(ConnectError, 'ConnectError')
  }

  code: string
  /** Negative, as Node's; 0 where the code is no errno of this platform. */
  errno: number
  syscall: string
  errnoClass: ErrnoClass
  declare address?: string
  declare port?: number
  declare path?: string
  declare hostname?: string
  /** Every connect(2) of the call, in order. */
  attempts: AttemptRecord[]
  declare errors?: ConnectError[]
  /** Whose patience ended: that of the caller's deadline or that of the kernel. */
  declare timedOutBy?: 'deadline' | 'kernel'

  readonly #options: ConnectErrorOptions
  readonly #verdict: Verdict

  constructor(options: ConnectErrorOptions) {
    const verdict = verdictOn(options)
    super(printable(messageOf(options, verdict)), options.cause === undefined ? undefined : { cause: options.cause })
    this.#options = options
    this.#verdict = verdict
    const { code, endpoint, hostname, errors, timedOutBy } = options
    this.code = code
    this.errno = options.errno ?? errnoOf(code)
    this.syscall = options.syscall
    this.errnoClass = verdict.errnoClass
    this.attempts = options.attempts ?? []
    if (endpoint?.family === 'unix') this.path = endpoint.path
    else if (endpoint) {
      this.address = endpoint.address
      if (endpoint.port) this.port = endpoint.port
    }
    if (hostname !== undefined) this.hostname = hostname
    if (errors) this.errors = errors
    if (timedOutBy) this.timedOutBy = timedOutBy
  }

  /** What it says of the target, and why: what a check writes into its result. */
  static verdictOf(error: ConnectError): Verdict {
    return error.#verdict
  }

  /** The same error told for a whole call: with all its attempts, and an error for each address where there were several. */
  forCall(attempts: AttemptRecord[], errors: ConnectError[]): ConnectError {
    return new ConnectError({ ...this.#options, attempts, errors: errors.length > 1 ? errors : undefined })
  }
}

function messageOf({ syscall, code, endpoint, hostname, detail }: ConnectErrorOptions, verdict: Verdict): string {
  const { means, remedy, errnoClass } = verdict
  const where = endpoint ? ` ${placeOf(endpoint)}` : hostname === undefined ? '' : ` ${hostname}`
  const why = detail ?? (remedy === undefined ? classes[errnoClass].says : clause(means))
  return `${syscall} ${code}${where}: ${why}${remedy === undefined ? '' : `; ${clause(remedy)}`}`
}

/** As Node writes it: a path stands alone, and so does a source address whose port was left to the kernel. */
function placeOf(endpoint: Endpoint): string {
  if (endpoint.family !== 'unix' && endpoint.port === 0) return endpoint.address
  const text = formatEndpoint(endpoint)
  return endpoint.family === 'unix' ? text.slice('unix:'.length) : text
}

/** An attempt whose `attemptTimeoutMs` ran out: the limit is told, not when somebody noticed. */
export function noAnswerWithin(attemptTimeoutMs: number): Advice {
  return { ...advise('ETIMEDOUT', 'timed-out')!, means: `No answer within ${attemptTimeoutMs} ms.` }
}

/** How far a call had come when its deadline ended it. */
export interface Progress {
  phase: Phase
  /** What it waited for this machine. Milliseconds. */
  waitedMs: number
  attempts: AttemptRecord[]
  hostname?: string | undefined
  endpoint?: Endpoint | undefined
}

class AbortError extends Error {
  static {
    nameErrors(AbortError, 'AbortError')
  }

  code = 'ABORT_ERR'
}

/** What Node's own cancelled calls reject with; `reason` is the signal's. For a call that was cancelled as it was made. */
export function abortError(reason: unknown): Error {
  return new AbortError('The operation was aborted', { cause: reason })
}

/**
 * Runs `make` without collecting stacks. What is made where an outcome arrives would show no frame of the caller's, and
 * collecting the frames of thousands holds the event loop for longer than their connects.
 */
export function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error
  limitStacks(0)
  try {
    return make()
  } finally {
    limitStacks(stackTraceLimit)
  }
}

/** Where Error is frozen (SES), its errors just have their stacks. */
function limitStacks(frames: number): void {
  try {
    Error.stackTraceLimit = frames
  } catch {}
}

/** The AbortError of a call in progress. */
export function lateAbortError(reason: unknown): Error {
  return withoutStack(() => abortError(reason))
}

/** A call whose `timeoutMs` ran out. What it was doing then says whose fault that is. */
export function deadlineError(timeoutMs: number, progress: Progress): ConnectError {
  const { phase, waitedMs, attempts, endpoint, hostname } = progress
  const syscall = phase === 'tls' ? 'tls' : 'connect'
  const what = phase === 'tls' ? 'The TLS handshake did not end' : 'Not connected'
  const late = `${what} within ${timeoutMs} ms`
  const failed = { code: 'ETIMEDOUT', syscall, phase, timedOutBy: 'deadline', attempts, endpoint, hostname } as const
  const error = (errnoClass: ErrnoClass, means: string, remedy: string) =>
    new ConnectError({ ...failed, errnoClass, advice: { means, remedy } })
  // The time that was spent on waiting for this machine was not the target's, nor its name's.
  if (waitedMs > timeoutMs * limits.waitedShare) {
    const means = `${late}, of which ${Math.round(waitedMs)} ms were spent waiting for this machine.`
    return error('local', means, 'Lower the concurrency, or look at what keeps this process busy.')
  }
  if (phase === 'name') {
    const means = `${late}: its name was still being looked up.`
    return error('name', means, 'Check /etc/resolv.conf and that its servers are up.')
  }
  return error('timed-out', `${late}.`, advise('ETIMEDOUT', 'timed-out', syscall)!.remedy)
}

/** More workers or lanes failed than is an accident. The manager is closed by then. */
export function poolFailedError(last: Error): ConnectError {
  const detail =
    `more than ${limits.failuresAtMost} workers or lanes failed within ${limits.failurePeriodMs / 1000} s, so the manager was closed; ` +
    `the last one said: ${last.message}`
  return new ConnectError({ code: 'ERR_POOL_FAILED', syscall: 'connect', errnoClass: 'local', detail, cause: last })
}

/** A call to a manager after its close. */
export function managerClosedError(): Error {
  const message = 'The manager is closed: make a new ConnectionManager, or close this one later'
  return Object.assign(new Error(message), { code: 'ERR_MANAGER_CLOSED' })
}

/** A name that came to no address: 'ENOTFOUND' where it has none, 'EAI_AGAIN' where nobody could say. */
export function unresolvedError(code: string, syscall: string, hostname: string, cause?: unknown): ConnectError {
  return new ConnectError({ code, syscall, hostname, errnoClass: 'name', cause })
}

/** A name that was looked up, and has no address. */
export const noAddressError = (hostname: string): ConnectError => unresolvedError('ENOTFOUND', 'connect', hostname)
