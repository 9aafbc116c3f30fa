/**
 * Whether to try again, and when. By errno class: what a failure says about whose fault it is decides what is done. Backoff
 * is exponential with full jitter (any wait from none to the whole step), so that callers who failed together do not come
 * back together. Times are milliseconds of one monotonic clock, passed in as `now`.
 */
import type { ErrnoClass } from './errno.js'
import { copyOf, isObject, kind, numberKind, objectKind, requireKind, requireKinds, requireNames } from './kinds.js'
import * as limits from './limits.js'
import type { Random } from './random.js'
import { strength } from './verdict.js'

/** How often, and how long between. What is left out is the table's: see core/retry.ts. */
export interface RetryRule {
  /** The first try included. */
  tries?: number | undefined
  /** The first backoff step, doubled with every try; the wait is random within it. Milliseconds. */
  baseMs?: number | undefined
  /** The longest step. Milliseconds. */
  capMs?: number | undefined
}

/**
 * Retries by errno class. `misuse` and `denied` are never retried; `local` failures are requeued without counting as a try.
 */
export interface RetryPolicy extends RetryRule {
  /** Retries as a share of the manager's first tries in the last ten seconds, beyond a few a second. Default 0.2. */
  budget?: number | undefined
  /** Overrides a class; false gives it up at once. */
  classes?: Partial<Record<ErrnoClass, RetryRule | false>> | undefined
  /** Overrides an errno, and wins over its class. */
  errnos?: Record<string, RetryRule | false> | undefined
}

export interface Failure {
  code: string
  errnoClass: ErrnoClass
}

export type Decision =
  /** Once more after `delayMs`; `requeue` costs the target nothing: the failure was this machine's. */
  | { action: 'retry' | 'requeue'; delayMs: number }
  | { action: 'give-up'; because: 'rule' | 'tries' | 'budget' | 'patience' }

type Rule = Required<RetryRule>

/** Tries count the first one. A class that is not here is given up at once. */
const rules: Partial<Record<ErrnoClass, Rule>> = {
  refused: { tries: 3, baseMs: 100, capMs: 2_000 },
  'timed-out': { tries: 2, baseMs: 200, capMs: 5_000 },
  unreachable: { tries: 3, baseMs: 1_000, capMs: 10_000 },
  busy: { tries: 3, baseMs: 100, capMs: 2_000 },
  name: { tries: 3, baseMs: 200, capMs: 5_000 },
  protocol: { tries: 3, baseMs: 100, capMs: 2_000 },
}

/** A mistake stays a mistake and a no stays a no; what is local is requeued whatever the policy says. */
const neverRetried: ReadonlySet<ErrnoClass> = new Set(['misuse', 'denied', 'pending', 'local'])

/** Names that do not exist will not come to exist within a call. */
const finalCodes: ReadonlySet<string> = new Set(['ENOTFOUND'])

/**
 * The rule for a failure under a policy: an errno's own override before its class's, that before the policy's own
 * numbers, and those before the table's.
 */
export function ruleFor({ code, errnoClass }: Failure, policy: RetryPolicy | false): Rule | undefined {
  if (policy === false || neverRetried.has(errnoClass)) return undefined
  const override = policy.errnos?.[code] ?? policy.classes?.[errnoClass]
  const known = finalCodes.has(code) ? undefined : rules[errnoClass]
  if (override === false || (!override && !known)) return undefined
  const { tries, baseMs, capMs } = { ...(known ?? rules.refused!), ...defined(policy), ...defined(override ?? {}) }
  return { tries, baseMs, capMs }
}

/** Spreading must not let an option that is there but undefined hide a default. */
function defined({ tries, baseMs, capMs }: RetryRule): RetryRule {
  return {
    ...(tries === undefined ? {} : { tries }),
    ...(baseMs === undefined ? {} : { baseMs }),
    ...(capMs === undefined ? {} : { capMs }),
  }
}

/** One call's tries. Its first is counted by the budget, as it starts: see RetryBudget.deposit. */
export class RetryPlan {
  readonly #policy: RetryPolicy | false
  readonly #budget: RetryBudget
  readonly #random: Random
  /** Tries that failed, of the target's doing. */
  #failed = 0
  #failedByClass: Map<ErrnoClass, number> | undefined

  constructor(policy: RetryPolicy | false, budget: RetryBudget, random: Random) {
    this.#policy = policy
    this.#budget = budget
    this.#random = random
  }

  /** What to do about a try that failed. A retry that is granted is taken from the budget. */
  after(failure: Failure, now: number): Decision {
    this.#failed += 1
    this.#failedByClass ??= new Map()
    const failedOfClass = (this.#failedByClass.get(failure.errnoClass) ?? 0) + 1
    this.#failedByClass.set(failure.errnoClass, failedOfClass)
    const rule = ruleFor(failure, this.#policy)
    if (!rule || this.#policy === false) return { action: 'give-up', because: 'rule' }
    const tries = this.#policy.tries ?? limits.retryTries
    if (failedOfClass >= rule.tries || this.#failed >= Math.max(tries, rule.tries)) {
      return { action: 'give-up', because: 'tries' }
    }
    if (!this.#budget.withdraw(this.#policy.budget ?? limits.retryBudget, now)) {
      return { action: 'give-up', because: 'budget' }
    }
    return { action: 'retry', delayMs: backoffMs(this.#failed, rule, this.#random) }
  }
}

/** Full jitter over base * 2^(n-1), capped, at the latest by what a timer can wait. `failed` counts from 1. */
export function backoffMs(failed: number, steps: Steps, random: Random): number {
  return random() * stepMs(failed, steps)
}

type Steps = Pick<Rule, 'baseMs' | 'capMs'>

const stepMs = (failed: number, { baseMs, capMs }: Steps) =>
  Math.min(capMs, baseMs * 2 ** (failed - 1), limits.timerAtMostMs)

/**
 * One call's patience with this machine. A local failure costs the target nothing, and is not waited out for ever; what
 * the call spent in waiting is counted, so that it is not laid to the target either.
 */
export class Patience {
  readonly #requeuesAtMost: number
  #requeues = 0
  #since = 0
  #waitedMs = 0
  #waitingSince: number | undefined

  constructor(requeuesAtMost = limits.requeuesAtMost) {
    this.#requeuesAtMost = requeuesAtMost
  }

  /** What to do about a local failure. */
  after(now: number, random: Random): Decision {
    if (this.#requeues === 0) this.#since = now
    this.#requeues += 1
    const patient = this.#requeues <= this.#requeuesAtMost && now - this.#since < limits.requeuePatienceMs
    if (!patient) return { action: 'give-up', because: 'patience' }
    // At least half of each step: of many that wait out the same lack, none may be done with it by chance.
    const half = stepMs(this.#requeues, { baseMs: limits.requeueBaseMs, capMs: limits.requeueCapMs }) / 2
    return { action: 'requeue', delayMs: half + random() * half }
  }

  /** The call waits for its turn from now on. */
  waits(now: number): void {
    this.#waitingSince ??= now
  }

  get isWaiting(): boolean {
    return this.#waitingSince !== undefined
  }

  /** Its turn has come. */
  runs(now: number): void {
    this.#waitedMs = this.waitedMs(now)
    this.#waitingSince = undefined
  }

  /** It had to wait for so long, as was seen afterwards. Milliseconds. */
  hasWaited(ms: number): void {
    this.#waitedMs += ms
  }

  waitedMs(now: number): number {
    return this.#waitedMs + (this.#waitingSince === undefined ? 0 : now - this.#waitingSince)
  }
}

/**
 * Retries of a manager as a share of its first tries over the last ten seconds, as Finagle's: a few retries a second are
 * always granted, so that a quiet client can retry at all; a storm is not made worse by everybody trying again.
 */
export class RetryBudget {
  /** One slot a second, by the second's number. */
  readonly #slots = Array.from({ length: limits.budgetSeconds }, () => ({ second: -1, firsts: 0, retries: 0 }))

  /** A first try. */
  deposit(now: number): void {
    this.#slot(now).firsts += 1
  }

  /** Takes one retry out, if the share allows it. */
  withdraw(share: number, now: number): boolean {
    const since = Math.floor(now / 1000) - limits.budgetSeconds
    let allowed = limits.budgetMinPerSecond * limits.budgetSeconds
    for (const { second, firsts, retries } of this.#slots) {
      if (second > since) allowed += (firsts && firsts * share) - retries
    }
    if (allowed < 1) return false
    this.#slot(now).retries += 1
    return true
  }

  #slot(now: number) {
    const second = Math.floor(now / 1000)
    const slot = this.#slots[second % this.#slots.length]!
    if (slot.second !== second) Object.assign(slot, { second, firsts: 0, retries: 0 })
    return slot
  }
}

const ruleKind = kind('false or an object such as { tries: 3 }', isObject)
const milliseconds = numberKind('milliseconds from 0 up', (value) => value >= 0 && value < Number.POSITIVE_INFINITY)

const ruleKinds = {
  tries: numberKind('a whole number from 1 up, the first try included', (value) => {
    return Number.isInteger(value) && value >= 1
  }),
  baseMs: milliseconds,
  capMs: milliseconds,
}

const policyKinds = {
  ...ruleKinds,
  budget: numberKind('a share of first tries, 0.2 say, or Infinity for no limit', (value) => value >= 0),
  classes: objectKind('{ refused: { tries: 5 } }'),
  errnos: objectKind('{ ECONNREFUSED: { tries: 5 } }'),
}

/**
 * A copy of a caller's policy, in which each property was read once.
 * @throws RangeError or TypeError that names the option.
 */
export function settledRetryPolicy<Policy extends RetryPolicy | false | undefined>(policy: Policy): Policy {
  if (policy === undefined || policy === false) return policy
  requireKind('retry', policy, ruleKind)
  const copy: RetryPolicy = copyOf('retry', policy as RetryPolicy)
  requireNames('retry', copy, Object.keys(policyKinds))
  requireKinds(copy, policyKinds, 'retry.')
  if (copy.classes) copy.classes = settledRules('retry.classes', copy.classes)
  if (copy.errnos) copy.errnos = settledRules('retry.errnos', copy.errnos)
  requireNames('retry.classes', copy.classes ?? {}, strength)
  for (const [name, rule] of Object.entries(copy.classes ?? {})) {
    if (rule && neverRetried.has(name as ErrnoClass)) {
      const retried = Object.keys(rules).join(', ')
      throw new TypeError(`retry.classes has a rule for '${name}', which is never retried: expected one of ${retried}`)
    }
  }
  return copy as Policy
}

/** Without a prototype: a code that is called 'constructor' has no rule. */
function settledRules<Rules extends Partial<Record<string, RetryRule | false>>>(where: string, rules: Rules): Rules {
  const copies: Partial<Record<string, RetryRule | false>> = Object.create(null)
  for (const [name, rule] of Object.entries(copyOf(where, rules))) copies[name] = settledRule(`${where}.${name}`, rule)
  return copies as Rules
}

function settledRule(where: string, rule: RetryRule | false | undefined): RetryRule | false | undefined {
  if (rule === undefined || rule === false) return rule
  requireKind(where, rule, ruleKind)
  const copy = copyOf(where, rule)
  requireNames(where, copy, Object.keys(ruleKinds))
  requireKinds(copy, ruleKinds, `${where}.`)
  return copy
}
