import { describe, expect, it } from 'vitest'
import { Delivery, type DeliveryRules, type Outcome, retryAfterMs } from '#internal/core/delivery'
import type { ErrnoClass } from '#internal/core/errno'
import * as limits from '#internal/core/limits'

const rules: DeliveryRules = { ...limits.webhook, tries: 4, triesAtFault: 3 }
const refused: Outcome = { code: 'ECONNREFUSED', errnoClass: 'refused', why: 'nothing listens there' }
const failed = (errnoClass: ErrnoClass, code = 'ECODE'): Outcome => ({ code, errnoClass, why: 'so' })

/** What is done about each of these, the pauses without jitter. */
function play(outcomes: Outcome[]): string[] {
  const delivery = new Delivery(rules, () => 1)
  return outcomes.map((outcome, second) => {
    const next = delivery.after(outcome, second * 1_000)
    return next.action === 'again' ? `again ${next.delayMs}${next.isAsked ? ' asked' : ''}` : next.action
  })
}

describe('answers', () => {
  it.each([200, 201, 202, 204, 299])('%i is delivered', (status) => expect(play([{ status }])).toEqual(['delivered']))

  it.each([301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422])('%i is given up', (status) =>
    expect(play([{ status }])).toEqual(['give-up']),
  )

  it.each([408, 429, 502, 503, 504])('%i is tried again, for long', (status) => {
    expect(play(Array(4).fill({ status }))).toEqual(['again 1000', 'again 2000', 'again 4000', 'give-up'])
  })

  it.each([500, 501, 507, 599])('%i is tried again, and not for as long', (status) => {
    expect(play(Array(3).fill({ status }))).toEqual(['again 1000', 'again 2000', 'give-up'])
  })

  it('410 says that no more are wanted, and the reasons say what to do', () => {
    const next = (status: number) => new Delivery(rules, () => 1).after({ status }, 0)
    expect(next(410)).toMatchObject({ isGone: true, why: 'it answered with status 410: it wants no more webhooks' })
    expect(next(404)).toMatchObject({ isGone: false })
    expect(next(301)).toMatchObject({ why: expect.stringContaining('redirects are not followed') })
    expect(next(401)).toMatchObject({ why: expect.stringContaining('check the secret') })
  })

  it('Retry-After is kept to where it is longer, up to a bound', () => {
    expect(play([{ status: 429, retryAfterMs: 30_000 }])).toEqual(['again 30000 asked'])
    expect(play([{ status: 503, retryAfterMs: 500 }])).toEqual(['again 1000'])
    expect(play([{ status: 503, retryAfterMs: 1e12 }])).toEqual([`again ${limits.webhook.retryAfterAtMostMs} asked`])
    expect(play([{ status: 401, retryAfterMs: 500 }])).toEqual(['give-up'])
  })
})

describe('no answer', () => {
  it.each<[string, Outcome]>([
    ['refused', refused],
    ['timed-out', failed('timed-out')],
    ['unreachable', failed('unreachable')],
    ['name', failed('name', 'EAI_AGAIN')],
    ['a name that does not exist, for it may come to exist', failed('name', 'ENOTFOUND')],
    ['protocol', failed('protocol')],
    ['this machine’s own lack', failed('local', 'EMFILE')],
  ])('%s is tried again', (_, outcome) => {
    expect(play(Array(4).fill(outcome))).toEqual(['again 1000', 'again 2000', 'again 4000', 'give-up'])
  })

  it.each<ErrnoClass>(['denied', 'misuse', 'unknown'])('%s is given up at once', (errnoClass) => {
    expect(play([failed(errnoClass)])).toEqual(['give-up'])
  })

  it('what works in the end was worth it', () => {
    expect(play([refused, { status: 503 }, { status: 200 }])).toEqual(['again 1000', 'again 2000', 'delivered'])
  })

  it('pauses end at their cap, and the default rules go on for hours', () => {
    const delivery = new Delivery(limits.webhook, () => 1)
    let totalMs = 0
    for (let tries = 1; ; tries += 1) {
      const next = delivery.after(refused, totalMs)
      if (next.action !== 'again') {
        expect(tries).toBe(limits.webhook.tries)
        break
      }
      expect(next.delayMs).toBeLessThanOrEqual(limits.webhook.capMs)
      totalMs += next.delayMs
    }
    expect(totalMs).toBeGreaterThan(12 * 3_600_000)
  })
})

it.each<[string | undefined, number | undefined]>([
  ['0', 0],
  ['120', 120_000],
  [' 5 ', 5_000],
  ['Thu, 01 Jan 1970 00:00:10 GMT', 8_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['-1', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['2026-01-01', undefined],
  ['99999999999', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j at 2 s is %j ms', (header, expected) => expect(retryAfterMs(header, 2_000)).toBe(expected))
