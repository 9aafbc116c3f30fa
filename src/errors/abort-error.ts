/** What calls reject with that were cancelled, or made too late. An AbortError looks as Node's own does. */
import { nameErrors } from '../core/error-name.js'

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

/** A call to a manager after its close. */
export function managerClosedError(): Error {
  const message = 'The manager is closed: make a new ConnectionManager, or close this one later'
  return Object.assign(new Error(message), { code: 'ERR_MANAGER_CLOSED' })
}
