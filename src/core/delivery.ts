/**
 * What is done about each try to deliver one message of a webhook. The rules are those of retries (core/retry), by errno class;
 * what a receiver answers has its place among them.
 */
import type { ErrnoClass } from './errno.js'
import type { Random } from './random.js'
import { type Failure, RetryBudget, RetryPlan, type RetryPolicy } from './retry.js'

export type Outcome =
  /** `retryAfterMs`: what the answer asks for. */
  | { readonly status: number; readonly retryAfterMs?: number | undefined }
  /** There was no answer. `why`: one clause. */
  | (Failure & { readonly why: string })

export type Next =
  | { readonly action: 'delivered' }
  /** `isAsked`: the receiver wants us to wait for so long. */
  | { readonly action: 'again'; readonly delayMs: number; readonly isAsked: boolean; readonly why: string }
  /** `isGone`: the receiver wants no more webhooks at all. */
  | { readonly action: 'give-up'; readonly isGone: boolean; readonly why: string }

export interface DeliveryRules {
  readonly tries: number
  /** Where the receiver answers, and each time with an error of its own: the message may be what it fails at. */
  readonly triesAtFault: number
  readonly baseMs: number
  readonly capMs: number
  readonly retryAfterAtMostMs: number
}

/** Answers by which a receiver says that it has too much to do, or that what stands before it does not reach it. */
const busyStatuses: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])
const fault = 'HTTP_FAULT'

/** The tries of one message. */
export class Delivery {
  readonly #rules: DeliveryRules
  readonly #plan: RetryPlan

  constructor(rules: DeliveryRules, random: Random) {
    this.#rules = rules
    const { tries, triesAtFault, baseMs, capMs } = rules
    const policy: RetryPolicy = {
      tries,
      baseMs,
      capMs,
      // One message is under way at a time: it makes no storm.
      budget: Number.POSITIVE_INFINITY,
      // A name may come to exist within hours.
      errnos: { ENOTFOUND: { tries }, [fault]: { tries: triesAtFault } },
    }
    this.#plan = new RetryPlan(policy, new RetryBudget(), random)
  }

  after(outcome: Outcome, now: number): Next {
    if (!('status' in outcome)) return this.#again({ ...outcome, errnoClass: waitedOut(outcome.errnoClass) }, 0, now)
    const { status, retryAfterMs = 0 } = outcome
    if (status >= 200 && status < 300) return { action: 'delivered' }
    const why = whyOf(status)
    const isBusy = busyStatuses.has(status)
    if (!isBusy && status < 500) return { action: 'give-up', isGone: status === 410, why }
    const askedMs = Math.min(retryAfterMs, this.#rules.retryAfterAtMostMs)
    return this.#again({ code: isBusy ? `HTTP_${status}` : fault, errnoClass: 'busy', why }, askedMs, now)
  }

  #again({ why, ...failure }: Failure & { why: string }, askedMs: number, now: number): Next {
    const decision = this.#plan.after(failure, now)
    if (decision.action === 'give-up') return { action: 'give-up', isGone: false, why }
    const { delayMs } = decision
    return { action: 'again', delayMs: Math.max(delayMs, askedMs), isAsked: askedMs > delayMs, why }
  }
}

/** A lack of this machine is waited out with the same pauses. */
const waitedOut = (errnoClass: ErrnoClass): ErrnoClass => (errnoClass === 'local' ? 'busy' : errnoClass)

/** A clause. */
function whyOf(status: number): string {
  const answered = `it answered with status ${status}`
  if (status >= 300 && status < 400) return `${answered}, and redirects are not followed: give the new URL`
  if (status === 401 || status === 403) return `${answered}: check the secret, and what the receiver asks for`
  if (status === 404) return `${answered}: check the path of the URL`
  if (status === 410) return `${answered}: it wants no more webhooks`
  return answered
}

const days = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const months = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const httpDate = new RegExp(`^${days}, \\d{2} ${months} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`)

/** RFC 9110, section 10.2.3: seconds or a date. Undefined for anything else. `at`: milliseconds since the epoch. */
export function retryAfterMs(header: string | undefined, at: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1_000
  return httpDate.test(text) ? Math.max(0, Date.parse(text) - at) : undefined
}
