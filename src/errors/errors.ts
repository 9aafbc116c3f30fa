/** What calls reject with. An AbortError looks as Node's own does; everything else says what to do next. */
import { type Endpoint, formatEndpoint } from '../core/endpoint.js'
import { type Advice, advise, classes, type ErrnoClass } from '../core/errno.js'
import * as limits from '../core/limits.js'
import type { Failure, Patience } from '../core/retry.js'
import { clause, printable, sentence } from '../core/text.js'
import type { AttemptRecord } from '../types.js'
import { errnoOf } from './errnos.js'

export interface ConnectErrorOptions {
  /** 'ECONNREFUSED', 'ENOTFOUND', 'ERR_BLOCKED'. */
  code: string
  /** Negative; by the code where absent. */
  errno?: number | undefined
  /** The call that failed: socket, bind, connect, queryA, tls. */
  syscall: string
  /** What it failed at: the target's, but of bind the source. Port 0 where the kernel was to choose. */
  endpoint?: Endpoint | undefined
  /** The name that was asked for, where that is what failed. */
  hostname?: string | undefined
  errnoClass: ErrnoClass
  attempts?: AttemptRecord[] | undefined
  /** One an address, where several were tried. */
  errors?: ConnectError[] | undefined
  timedOutBy?: 'deadline' | 'kernel' | undefined
  /** Takes the place of the table's words in the message. */
  detail?: string | undefined
  /** The same, in the table's form. */
  advice?: Advice | undefined
  cause?: unknown
}

/** A connect that failed: `connect ECONNREFUSED 127.0.0.1:9: nothing listens there; start the service or check the port`. */
export class ConnectError extends Error {
  static {
    ConnectError.prototype.name = 'ConnectError'
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

  constructor(options: ConnectErrorOptions) {
    super(printable(messageOf(options)), options.cause === undefined ? undefined : { cause: options.cause })
    this.#options = options
    const { code, endpoint, hostname, errors, timedOutBy } = options
    this.code = code
    this.errno = options.errno ?? errnoOf(code)
    this.syscall = options.syscall
    this.errnoClass = options.errnoClass
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

  /** What it means, without the place and what to do: one sentence. */
  meaning(): string {
    const { detail, advice } = this.#options
    return detail === undefined ? meaningOf(this, advice) : sentence(detail)
  }

  /** The same, told for a whole call: with all its attempts, and an error for each address where there were several. */
  forCall(attempts: AttemptRecord[], errors: ConnectError[]): ConnectError {
    return new ConnectError({ ...this.#options, attempts, errors: errors.length > 1 ? errors : undefined })
  }
}

function messageOf(options: ConnectErrorOptions): string {
  const { syscall, code, endpoint, hostname, errnoClass, detail, advice = advise(code, errnoClass) } = options
  const where = endpoint ? ` ${placeOf(endpoint)}` : hostname === undefined ? '' : ` ${hostname}`
  const words = advice ? `${clause(advice.means)}; ${clause(advice.remedy)}` : classes[errnoClass].says
  return `${syscall} ${code}${where}: ${detail ?? words}`
}

/** As Node writes it: a path stands alone, and so does a source address whose port was left to the kernel. */
function placeOf(endpoint: Endpoint): string {
  if (endpoint.family !== 'unix' && endpoint.port === 0) return endpoint.address
  const text = formatEndpoint(endpoint)
  return endpoint.family === 'unix' ? text.slice('unix:'.length) : text
}

/** What a failure means: one sentence. */
export function meaningOf(failure: Failure, advice = advise(failure.code, failure.errnoClass)): string {
  return advice?.means ?? `It failed with ${failure.code}.`
}

/** An attempt whose `attemptTimeoutMs` ran out: the limit is told, not when somebody noticed. */
export function noAnswerWithin(attemptTimeoutMs: number): Advice {
  return { ...advise('ETIMEDOUT', 'timed-out')!, means: `No answer within ${attemptTimeoutMs} ms.` }
}

/** As far as a call has come: see connect.ts. */
interface CallProgress {
  attempts: AttemptRecord[]
  patience: Patience
  naming?: boolean
  hostname?: string
  endpoint?: Endpoint
}

class AbortError extends Error {
  static {
    AbortError.prototype.name = 'AbortError'
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
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** The AbortError of a call in progress. */
export function lateAbortError(reason: unknown): Error {
  return withoutStack(() => abortError(reason))
}

/** A call whose `timeoutMs` ran out. What it was doing then says whose fault that is. */
export function deadlineError(timeoutMs: number, call: CallProgress): ConnectError {
  const waitedMs = call.patience.waitedMs(performance.now())
  const { attempts, endpoint, hostname } = call
  const detail = `not connected within ${timeoutMs} ms`
  const common = {
    code: 'ETIMEDOUT',
    syscall: 'connect',
    timedOutBy: 'deadline',
    attempts,
    endpoint,
    hostname,
  } as const
  // What was spent on waiting for this machine was not the target's, nor its name's.
  if (waitedMs > timeoutMs * limits.waitedShare)
    return new ConnectError({
      ...common,
      errnoClass: 'local',
      detail: `${detail}, of which ${Math.round(waitedMs)} ms were spent waiting for this machine`,
    })
  if (call.naming)
    return new ConnectError({ ...common, errnoClass: 'name', detail: `${detail}: its name was still being looked up` })
  return new ConnectError({ ...common, errnoClass: 'timed-out', detail })
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
