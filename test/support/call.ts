/** A call as a manager makes it, over an engine and a resolver of the test's own. */
import { Cancellation } from '#internal/call/cancellation'
import type { Call } from '#internal/call/connect'
import { Deadline } from '#internal/call/deadline'
import { Gate } from '#internal/call/gate'
import { Expiring } from '#internal/core/expiring'
import { seeded } from '#internal/core/random'
import { Patience, RetryBudget } from '#internal/core/retry'
import { parseTarget, type Target } from '#internal/core/target'
import type { Engine } from '#internal/engines/engine'
import type { Resolver } from '#internal/names/resolver'

export function callOver(
  target: Target,
  engine: Engine,
  resolver: Resolver,
  { signal, ...options }: Partial<Call['options']> = {},
): Call {
  return {
    target: parseTarget(target),
    engine,
    resolver,
    cancellation: new Cancellation(signal),
    deadline: new Deadline(Number.POSITIVE_INFINITY, 0, () => {}),
    options: { attemptTimeoutMs: 5_000, ...options },
    supervision: { budget: new RetryBudget(), random: seeded(1), gate: new Gate({}), onDecision() {} },
    patience: new Patience(),
    attempts: [],
    lastGood: new Expiring(10),
    begun: false,
    startedAt: 0,
  }
}
