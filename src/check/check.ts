/**
 * The health check: connect, record, close. Targets are pulled only as there is room, results yielded as they come; what is
 * in flight and what the consumer has not yet taken never exceed the concurrency together.
 */
import { bucketOf, type Calls } from '../call/calls.js'
import { Cancellation } from '../call/cancellation.js'
import { Gate } from '../call/gate.js'
import type { CheckSettings } from '../call/settings.js'
import { refuseVainDays } from '../options.js'
import type { CheckResult } from '../types.js'
import { checkTarget } from './check-target.js'
import { probeFor } from './probe.js'
import { Pump, type Supply } from './pump.js'
import { aloneOf, type CheckRun } from './run.js'

/** @throws AbortError once everything in flight is released, when the signal aborts or the manager is closed. */
export async function* check(
  calls: Calls,
  targets: Supply,
  settings: CheckSettings,
): AsyncGenerator<CheckResult, void, undefined> {
  const cancellation = new Cancellation(settings.signal)
  try {
    const run = runOf(calls, settings, cancellation)
    calls.checkBegins(cancellation)
    const pump = new Pump(targets, settings.concurrency, cancellation, (target, done) => checkTarget(target, run, done))
    try {
      for (;;) {
        cancellation.throwIfRequested()
        pump.fill()
        const result = pump.take()
        if (result) yield result
        else if (pump.finished) return
        else await pump.changed()
      }
    } finally {
      await pump.close()
    }
  } finally {
    cancellation.end()
    calls.checkEnds(cancellation)
  }
}

/** What the targets of one check share. */
export function runOf(calls: Calls, settings: CheckSettings, cancellation: Cancellation): CheckRun {
  const { ratePerSecond, perHost } = settings
  refuseVainDays(settings)
  const limited = ratePerSecond !== undefined || perHost !== undefined
  const gate = limited ? new Gate({ bucket: bucketOf(ratePerSecond), perHost }) : undefined
  const { supervision, ...means } = calls.meansFor(settings)
  return {
    calls,
    cancellation,
    gate,
    means: { ...means, supervision: { ...supervision, checkGate: gate }, clockStops: true },
    // Each target's call listens to the check.
    settings: { ...settings, signal: cancellation.signal },
    alone: aloneOf(settings),
    probe: probeFor(settings),
    others: new WeakMap(),
  }
}
