import { describe, expect, it } from 'vitest'
import type { ErrnoClass } from '#internal/core/errno'
import * as limits from '#internal/core/limits'
import { seeded } from '#internal/core/random'
import type { RetryPolicy } from '#internal/core/retry'
import {
  backoffMs,
  type Failure,
  Patience,
  RetryBudget,
  RetryPlan,
  ruleFor,
  settledRetryPolicy,
} from '#internal/core/retry'

const failure = (errnoClass: ErrnoClass, code = 'ECODE'): Failure => ({ code, errnoClass })
/** The whole step, so that delays are those of the table. */
const whole = () => 1

/** What a plan says to these failures, one a second; 'retry 100' or why it gave up. */
function decisions(policy: RetryPolicy | false, failures: Failure[]): string[] {
  const plan = new RetryPlan(policy, new RetryBudget(), whole)
  return failures.map((each, second) => {
    const decision = plan.after(each, second * 1000)
    return decision.action === 'give-up' ? decision.because : `${decision.action} ${decision.delayMs}`
  })
}

describe('the default policy, by class', () => {
  it.each<[ErrnoClass, string[]]>([
    ['refused', ['retry 100', 'retry 200', 'tries']],
    ['protocol', ['retry 100', 'retry 200', 'tries']],
    ['busy', ['retry 100', 'retry 200', 'tries']],
    ['timed-out', ['retry 200', 'tries']],
    ['unreachable', ['retry 1000', 'retry 2000', 'tries']],
    ['name', ['retry 200', 'retry 400', 'tries']],
    ['denied', ['rule']],
    ['misuse', ['rule']],
    ['unknown', ['rule']],
    ['pending', ['rule']],
    ['local', ['rule']],
  ])('%s: %j', (errnoClass, expected) => {
    expect(
      decisions(
        {},
        expected.map(() => failure(errnoClass)),
      ),
    ).toEqual(expected)
  })

  it('gives a name that does not exist up, and asks for others again', () => {
    expect(decisions({}, [failure('name', 'ENOTFOUND')])).toEqual(['rule'])
    expect(decisions({}, [failure('name', 'EAI_AGAIN')])).toEqual(['retry 200'])
  })

  it('counts tries of a class, and all of them together', () => {
    const mixed = [failure('timed-out'), failure('refused'), failure('refused')]
    expect(decisions({}, mixed)).toEqual(['retry 200', 'retry 200', 'tries'])
    expect(decisions({}, [failure('refused'), failure('timed-out'), failure('timed-out')])).toEqual([
      'retry 100',
      'retry 400',
      'tries',
    ])
  })

  it('never doubles beyond the cap', () => {
    const many = Array.from({ length: 8 }, () => failure('refused'))
    expect(decisions({ tries: 8 }, many)).toEqual([
      ...['retry 100', 'retry 200', 'retry 400', 'retry 800', 'retry 1600', 'retry 2000', 'retry 2000'],
      'tries',
    ])
  })
})

describe('a policy', () => {
  const refused = failure('refused', 'ECONNREFUSED')
  it.each<[string, RetryPolicy | false, string[]]>([
    ['false never retries', false, ['rule']],
    ['one try is none more', { tries: 1 }, ['tries']],
    ['its numbers replace the table’s', { tries: 2, baseMs: 7, capMs: 50 }, ['retry 7', 'tries']],
    [
      'a class’s rule wins over them',
      { tries: 9, classes: { refused: { tries: 2, baseMs: 3 } } },
      ['retry 3', 'tries'],
    ],
    [
      'an errno’s rule wins over its class',
      { classes: { refused: false }, errnos: { ECONNREFUSED: {} } },
      ['retry 100'],
    ],
    ['a class may be given up', { classes: { refused: false } }, ['rule']],
    ['an errno may be given up', { errnos: { ECONNREFUSED: false } }, ['rule']],
    [
      'what is undefined hides nothing',
      { tries: undefined, classes: { refused: { baseMs: undefined } } },
      ['retry 100'],
    ],
  ])('%s', (_, policy, expected) => {
    expect(
      decisions(
        policy,
        expected.map(() => refused),
      ),
    ).toEqual(expected)
  })

  it('can have what is unknown retried, by its errno', () => {
    expect(ruleFor(failure('unknown', 'EIO'), { errnos: { EIO: { tries: 2 } } })).toMatchObject({ tries: 2 })
  })

  it.each<ErrnoClass>(['misuse', 'denied'])('never has %s retried, whatever it says', (errnoClass) => {
    expect(ruleFor(failure(errnoClass, 'EACCES'), { tries: 5, errnos: { EACCES: { tries: 5 } } })).toBeUndefined()
  })

  it.each<[unknown, RegExp]>([
    ['often', /retry is 'often': expected false or an object/],
    [{ tries: 0 }, /retry.tries is 0: expected a whole number from 1/],
    [{ tries: 1.5 }, /retry.tries is 1.5/],
    [{ baseMs: -1 }, /retry.baseMs is -1: expected milliseconds/],
    [{ capMs: Number.POSITIVE_INFINITY }, /retry.capMs/],
    [{ budget: -0.1 }, /retry.budget is -0.1: expected a share/],
    [{ budget: Number.NaN }, /retry.budget/],
    [{ classes: { misuse: {} } }, /'misuse', which is never retried: expected one of refused/],
    [{ classes: { refuzed: {} } }, /retry.classes has 'refuzed': did you mean refused\?$/],
    [{ classes: { refuzed: false } }, /retry.classes has 'refuzed'/],
    [{ classes: { refused: { tries: 0 } } }, /retry.classes.refused.tries/],
    [{ classes: { refused: 5 } }, /retry.classes.refused is 5: expected false or an object/],
    [{ classes: { refused: true } }, /retry.classes.refused is true/],
    [{ classes: { refused: null } }, /retry.classes.refused is null/],
    [{ classes: { refused: { tryes: 3 } } }, /retry.classes.refused has 'tryes': did you mean tries\?$/],
    [{ classes: 5 }, /retry.classes is 5: expected an object such as { refused: { tries: 5 } }/],
    [{ classes: [] }, /retry.classes is \[\]/],
    [{ classes: null }, /retry.classes is null/],
    [{ errnos: { EIO: { capMs: -1 } } }, /retry.errnos.EIO.capMs/],
    [{ errnos: { EIO: 5 } }, /retry.errnos.EIO is 5/],
    [{ errnos: 5 }, /retry.errnos is 5: expected an object such as { ECONNREFUSED/],
    [{ errnos: null }, /retry.errnos is null/],
    [{ tryes: 3 }, /retry has 'tryes': did you mean tries\?$/],
    [{ tries: null }, /retry.tries is null/],
    [{ baseMs: '5' }, /retry.baseMs is '5'/],
    [{ budget: null }, /retry.budget is null/],
    [[], /retry is \[\]: expected false or an object/],
    [null, /retry is null/],
    [true, /retry is true/],
    [5, /retry is 5/],
  ])('%j is refused', (policy, message) => {
    expect(() => settledRetryPolicy(policy as RetryPolicy)).toThrow(message)
  })
})

describe('backoff', () => {
  it('is any wait from none to the whole step, and repeatable by its seed', () => {
    const draw = () => {
      const random = seeded(42)
      return Array.from({ length: 1000 }, () => backoffMs(3, { baseMs: 100, capMs: 10_000 }, random))
    }
    const delays = draw()
    expect(draw()).toEqual(delays)
    expect(Math.min(...delays)).toBeLessThan(20)
    expect(Math.max(...delays)).toBeGreaterThan(380)
    expect(delays.every((delay) => delay >= 0 && delay < 400)).toBe(true)
    const mean = delays.reduce((sum, delay) => sum + delay) / delays.length
    expect(mean).toBeGreaterThan(180)
    expect(mean).toBeLessThan(220)
  })
})

describe('a backoff that no timer takes', () => {
  it.each([
    [1, 1e12, 1e12],
    [60, 1, 1e12],
    [2000, 1, Number.MAX_VALUE],
  ])('is the longest wait of one: after %d tries from %d ms up to %d', (failed, baseMs, capMs) => {
    expect(backoffMs(failed, { baseMs, capMs }, whole)).toBe(limits.timerAtMostMs)
  })
})

describe('patience with this machine', () => {
  it('is requeued with growing waits, and ends by count', () => {
    const patience = new Patience()
    const delays: number[] = []
    for (;;) {
      const decision = patience.after(0, whole)
      if (decision.action === 'give-up') break
      delays.push(decision.delayMs)
    }
    expect(delays).toHaveLength(limits.requeuesAtMost)
    expect(delays.slice(0, 8)).toEqual([20, 40, 80, 160, 320, 640, 1000, 1000])
  })

  it('lasts for some seconds whatever the dice say', () => {
    const patience = new Patience()
    let now = 0
    for (let decision = patience.after(now, () => 0); decision.action !== 'give-up'; ) {
      now += decision.delayMs
      decision = patience.after(now, () => 0)
    }
    expect(now).toBeGreaterThan(2_500)
  })

  it('ends by time as well', () => {
    const patience = new Patience()
    expect(patience.after(0, whole).action).toBe('requeue')
    expect(patience.after(limits.requeuePatienceMs - 1, whole).action).toBe('requeue')
    expect(patience.after(limits.requeuePatienceMs, whole)).toEqual({ action: 'give-up', because: 'patience' })
  })

  it('counts what a call spent waiting, the wait under way included', () => {
    const patience = new Patience()
    expect(patience.waitedMs(50)).toBe(0)
    patience.waits(100)
    patience.waits(120)
    expect(patience.waitedMs(150)).toBe(50)
    patience.runs(200)
    expect(patience.waitedMs(900)).toBe(100)
    patience.waits(1000)
    expect(patience.waitedMs(1010)).toBe(110)
  })
})

describe('the budget', () => {
  const spend = (budget: RetryBudget, share: number, now: number): number => {
    let granted = 0
    while (granted < 100_000 && budget.withdraw(share, now)) granted += 1
    return granted
  }
  const reserve = limits.budgetMinPerSecond * limits.budgetSeconds

  it('grants a few retries to whoever has tried nothing yet', () => {
    expect(spend(new RetryBudget(), 0.2, 0)).toBe(reserve)
  })

  it('grants a share of the first tries on top', () => {
    const budget = new RetryBudget()
    for (let i = 0; i < 5000; i += 1) budget.deposit(i % 1000)
    expect(spend(budget, 0.2, 1000)).toBe(reserve + 1000)
    expect(budget.withdraw(0.2, 1000)).toBe(false)
  })

  it('forgets both after ten seconds', () => {
    const budget = new RetryBudget()
    for (let i = 0; i < 1000; i += 1) budget.deposit(0)
    expect(spend(budget, 0.2, 500)).toBe(reserve + 200)
    expect(spend(budget, 0.2, 9_999)).toBe(0)
    expect(spend(budget, 0.2, 10_000)).toBe(reserve)
    expect(spend(budget, 0.2, 1_000_000)).toBe(reserve)
  })

  it.each([0, Number.POSITIVE_INFINITY])('takes a share of %d', (share) => {
    const budget = new RetryBudget()
    budget.deposit(0)
    expect(spend(budget, share, 0)).toBe(share === 0 ? reserve : 100_000)
  })

  it('stops a plan, which says so', () => {
    const budget = new RetryBudget()
    spend(budget, 0, 0)
    const plan = new RetryPlan({ budget: 0 }, budget, whole)
    expect(plan.after(failure('refused'), 0)).toEqual({ action: 'give-up', because: 'budget' })
  })
})
