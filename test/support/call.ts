/** A call as a manager makes it, over an engine and a resolver of the test's own. */
import { Call } from '#internal/call/call'
import { Gate } from '#internal/call/gate'
import { type CallSettings, connectDefaults } from '#internal/call/settings'
import { Expiring } from '#internal/core/expiring'
import { seeded } from '#internal/core/random'
import { RetryBudget } from '#internal/core/retry'
import { parseTarget, type Target } from '#internal/core/target'
import type { Engine } from '#internal/engines/engine'
import type { Resolver } from '#internal/names/resolver'

export function callOver(
  target: Target,
  engine: Engine,
  resolver: Resolver,
  settings: Partial<CallSettings> = {},
): Call {
  return new Call(
    parseTarget(target),
    { ...connectDefaults, timeoutMs: Number.POSITIVE_INFINITY, attemptTimeoutMs: 5_000, ...settings },
    {
      engine,
      resolver,
      supervision: { budget: new RetryBudget(), random: seeded(1), gate: new Gate({}), onDecision() {} },
      lastGood: new Expiring(10),
    },
  )
}
