/** Carries out what core/retry decides for a call: its tries are repeated after their backoff. A cancel ends every wait at once. */
import { settleSoon } from '../bridge/settling.js'
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import { RetryPlan } from '../core/retry.js'
import { formatParsed } from '../core/target.js'
import { ConnectError } from '../errors/connect-error.js'
import type { Call } from './call.js'
import type { Cancellation } from './cancellation.js'
import * as diagnostics from './diagnostics.js'

/**
 * Repeats a call's try until it succeeds or its failure is given up, and tells which, once. Between tries nothing is held,
 * and a cancel is told at once.
 */
export function supervise<T>(
  call: Call,
  makeTry: () => Promise<T>,
  succeed: (value: T) => void,
  fail: (error: unknown) => void,
): void {
  if (call.settings.retry !== false) call.means.supervision.budget.deposit(performance.now())
  makeTry().then(succeed, (error) => {
    if (call.cancellation.requested) fail(error)
    else afterFailures(call, makeTry, succeed, fail)(error)
  })
}

/** What is to be done about each failed try. Few calls come to it, and the others do not hold it. */
function afterFailures<T>(
  call: Call,
  makeTry: () => Promise<T>,
  succeed: (value: T) => void,
  fail: (error: unknown) => void,
): (error: unknown) => void {
  const { cancellation, deadline, settings } = call
  const { budget, random, onDecision } = call.means.supervision
  const plan = new RetryPlan(settings.retry ?? {}, budget, random)
  const retry = (error: unknown) => {
    if (cancellation.requested || !(error instanceof ConnectError)) return fail(error)
    const decision = plan.after(error, performance.now())
    if (decision.action === 'give-up') return fail(error)
    onDecision('retry')
    diagnostics.retry(formatParsed(call.target), error, decision)
    deadline.arm()
    pause(decision.delayMs, cancellation).then(again, fail)
  }
  const again = () => {
    makeTry().then(succeed, retry)
  }
  return retry
}

/**
 * Repeats what is not an attempt, and holds nothing between, while this machine is what fails and the call's patience lasts.
 * @throws the last failure; the cancellation's error, at once, when the call is cancelled between.
 */
export async function requeued<T>(call: Call, work: () => Promise<T>): Promise<T> {
  const { patience, means, cancellation, deadline } = call
  const { gate, random, onDecision } = means.supervision
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (cancellation.requested || !(error instanceof ConnectError) || error.errnoClass !== 'local') throw error
      gate.cut()
      const now = performance.now()
      const decision = patience.after(now, random)
      if (decision.action === 'give-up') throw error
      onDecision('requeue')
      diagnostics.retry(formatParsed(call.target), error, decision)
      patience.waits(now)
      deadline.arm()
      await pause(decision.delayMs, cancellation)
      patience.runs(performance.now())
    }
  }
}

function pause(delayMs: number, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop()
      resolve()
    }, delayMs)
    const stop = cancellation.onRequest(() => {
      clearTimeout(timer)
      settleSoon(() => reject(cancellation.error()))
    })
  })
}
