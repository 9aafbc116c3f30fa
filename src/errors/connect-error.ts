/** What calls reject with that failed: it says what failed, where, and what to do. */

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
  /** What the peer of a probe had said by then. */
  heard?: string | undefined
}

/** The call that waits, and what had not happened. */
const unfinished: Readonly<Record<Phase, readonly [syscall: string, what: string]>> = {
  name: ['connect', 'Not connected'],
  connect: ['connect', 'Not connected'],
  tls: ['tls', 'The TLS handshake did not end'],
  send: ['write', 'The peer did not take what was sent'],
  expect: ['read', 'What was expected did not come'],
}

/** A call whose `timeoutMs` ran out. What it was doing then says whose fault that is. */
export function deadlineError(timeoutMs: number, progress: Progress): ConnectError {
  const { phase, waitedMs, attempts, endpoint, hostname, heard } = progress
  const [syscall, what] = unfinished[phase]
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
  const said = phase === 'expect' && heard ? `; ${heard}` : ''
  return error('timed-out', `${late}${said}.`, advise('ETIMEDOUT', 'timed-out', syscall)!.remedy)
}

/** More workers or lanes failed than is an accident. The manager is closed by then. */
export function poolFailedError(last: Error): ConnectError {
  const detail =
    `more than ${limits.failuresAtMost} workers or lanes failed within ${limits.failurePeriodMs / 1000} s, so the manager was closed; ` +
    `the last one said: ${last.message}`
  return new ConnectError({ code: 'ERR_POOL_FAILED', syscall: 'connect', errnoClass: 'local', detail, cause: last })
}

/** A name that came to no address: 'ENOTFOUND' where it has none, 'EAI_AGAIN' where nobody could say. */
export function unresolvedError(
  code: string,
  syscall: string,
  hostname: string,
  cause?: unknown,
  errno?: number,
): ConnectError {
  return new ConnectError({ code, syscall, hostname, errnoClass: 'name', cause, ...(errno && { errno }) })
}

/** A name that was looked up, and has no address. */
export const noAddressError = (hostname: string): ConnectError => unresolvedError('ENOTFOUND', 'connect', hostname)
