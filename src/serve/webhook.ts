/**
 * One webhook: changes of health, told to a URL in the way of Standard Webhooks. Changes of one second travel in one message, one
 * message is under way at a time, and it is tried again until it has arrived or is given up. What waits is bounded. Nobody waits
 * for any of it: `tell` only takes the change in.
 */
import { randomUUID } from 'node:crypto'
import type { Agent } from 'node:http'
import { clearTimeout, epochMs, performance, setTimeout } from '../core/clock.js'
import { Delivery, type Next } from '../core/delivery.js'
import * as limits from '../core/limits.js'
import { type Batch, Outbox } from '../core/outbox.js'
import { keyOf } from '../core/target-key.js'
import type { HealthChange } from '../types.js'
import { type ChangeRecord, recordOf } from '../watch/record.js'
import { post } from './post.js'
import { secretBytes, signed } from './signature.js'

export interface WebhookOptions {
  /** http: or https:. A user and a password in it are sent as Basic credentials. */
  url: string | URL
  /** Base64, with or without `whsec_`. */
  secret: string
  /** Makes the connections: an Agent of cancelpoint/http, so that what hangs is cancelled and released. It stays the caller's. */
  agent?: Agent | undefined
  /** Told what people should know, a line each: failures, losses, recovery. Neither the secret nor more of the URL than its origin is in it. */
  say?: ((line: string) => void) | undefined
  /** Of core/limits, those that are to be others. */
  limits?: Partial<typeof limits.webhook> | undefined
}

export interface WebhookStats {
  /** Messages that arrived, and the changes in them. */
  messages: number
  changes: number
  /** Changes that wait, or are under way. */
  waiting: number
  /** Changes that the receiver does not hear of. */
  lost: number
  /** Changes that became one with a later one of their target, because too many waited. */
  merged: number
  /** Tries after a message's first. */
  retries: number
  /** The last try failed. */
  isFailing: boolean
}

export class Webhook implements AsyncDisposable {
  readonly #url: URL
  readonly #secret: Buffer
  readonly #agent: Agent | undefined
  readonly #tellPeople: (line: string) => void
  readonly #limits: typeof limits.webhook
  readonly #outbox: Outbox<ChangeRecord>
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  /** Ends the pause between two tries. */
  #wake: (() => void) | undefined
  #isClosing = false
  #closed: Promise<void> | undefined
  /** When a close gives up what is not sent yet; performance.now(). */
  #closesAt = Number.POSITIVE_INFINITY
  /** The receiver wants no more. */
  #isGone = false
  #underWay = 0
  #failedTries = 0
  #sent = { messages: 0, changes: 0, retries: 0 }
  #told = { lost: 0, merged: 0 }
  #seen = 0
  #lossWhy = ''
  #sayTimer: NodeJS.Timeout | undefined

  /** @throws TypeError for the URL or the secret, which tells neither of them */
  constructor({ url, secret, agent, say = () => {}, limits: given }: WebhookOptions) {
    this.#url = readUrl(url)
    this.#secret = secretBytes(secret)
    this.#agent = agent
    this.#tellPeople = say
    this.#limits = { ...limits.webhook, ...given }
    this.#outbox = new Outbox(this.#limits)
  }

  /** Takes the change in, and returns at once. What comes after the close is lost. */
  tell(change: HealthChange): void {
    if (this.#isClosing || this.#isGone) this.#outbox.lose(1)
    else {
      const record = recordOf(change)
      const bytes = Buffer.byteLength(JSON.stringify(record))
      this.#outbox.add(keyOf(change.target, change.labels), record, bytes, performance.now())
    }
    this.#sayLosses(
      this.#closed
        ? 'it is closed'
        : this.#isGone
          ? 'the receiver wants no more webhooks'
          : 'too many changes wait for it',
    )
    this.#arm()
  }

  stats(): WebhookStats {
    const { waiting, lost, merged } = this.#outbox
    return { ...this.#sent, waiting: waiting + this.#underWay, lost, merged, isFailing: this.#failedTries > 0 }
  }

  /** Tries for some seconds to send what waits, gives up the rest and says how much that was. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #finish(): Promise<void> {
    this.#isClosing = true
    this.#closesAt = performance.now() + this.#limits.closeMs
    clearTimeout(this.#timer)
    this.#wake?.()
    const timer = setTimeout(() => {
      this.#abort.abort()
      this.#wake?.()
    }, this.#limits.closeMs)
    this.#begin()
    await this.#sending
    clearTimeout(timer)
    this.#sayLossesNow(this.#lossWhy)
    this.#outbox.lose(this.#underWay)
    this.#underWay = 0
    this.#outbox.clear()
    this.#sayLossesNow('the receiver did not take them before the end')
  }

  #arm(): void {
    if (this.#sending || this.#isClosing) return
    const waitMs = this.#outbox.waitMs(performance.now())
    clearTimeout(this.#timer)
    if (waitMs !== undefined) this.#timer = setTimeout(() => this.#begin(), waitMs)
  }

  #begin(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
      this.#arm()
    })
  }

  /** What is due, and while it is being closed what there is. */
  async #sendAll(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const waitMs = this.#outbox.waitMs(performance.now())
      if (waitMs === undefined || (waitMs > 0 && !this.#isClosing)) return
      const batch = this.#outbox.take()
      if (!batch) return
      this.#underWay = batch.changes.length
      const problem = await this.#deliver(batch)
      // What the close gives up is told at its end.
      if (problem !== undefined && this.#abort.signal.aborted) return
      this.#underWay = 0
      if (problem === undefined) continue
      this.#outbox.lose(batch.changes.length)
      if (this.#isGone) this.#outbox.clear()
      this.#sayLosses(problem)
    }
  }

  /** Why it was given up; undefined where it has arrived. */
  async #deliver(batch: Batch<ChangeRecord>): Promise<string | undefined> {
    // The same on each try: the receiver knows by the id what it has taken already.
    const id = `msg_${randomUUID()}`
    const body = Buffer.from(bodyOf(batch))
    const delivery = new Delivery(this.#limits, Math.random)
    for (;;) {
      const next = await this.#try(delivery, id, body)
      if (next.action === 'delivered') {
        this.#arrived(batch)
        return undefined
      }
      this.#failedTries += 1
      if (next.action === 'give-up') {
        this.#isGone ||= next.isGone
        return next.why
      }
      if (this.#failedTries === 1) this.#say(`${next.why}; it is tried again`)
      if (!(await this.#pause(next))) return next.why
      this.#sent.retries += 1
    }
  }

  async #try(delivery: Delivery, id: string, body: Buffer): Promise<Next> {
    const { timeoutMs, drainMs } = this.#limits
    const headers = {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'user-agent': 'cancelpoint',
      ...signed(this.#secret, id, Math.floor(epochMs() / 1_000), body),
    }
    const { signal } = this.#abort
    const outcome = await post({ url: this.#url, headers, body, agent: this.#agent, timeoutMs, drainMs, signal })
    return delivery.after(outcome, performance.now())
  }

  #arrived({ changes }: Batch<ChangeRecord>): void {
    this.#sent.messages += 1
    this.#sent.changes += changes.length
    if (this.#failedTries > 0)
      this.#say(`it works again, after ${counted(this.#failedTries, 'failed try', 'failed tries')}`)
    this.#failedTries = 0
  }

  /** False where the close would be over before that. A close shortens it, unless the receiver asked for it. */
  async #pause({ delayMs, isAsked }: Next & { action: 'again' }): Promise<boolean> {
    const until = performance.now() + delayMs
    if (!this.#isClosing) await this.#sleep(delayMs)
    if (!this.#isClosing) return true
    const leftMs = Math.min(until - performance.now(), isAsked ? delayMs : this.#limits.closeStepMs)
    // Nothing else may be sent before that either.
    if (performance.now() + leftMs >= this.#closesAt) this.#abort.abort()
    else await this.#sleep(leftMs)
    return !this.#abort.signal.aborted
  }

  /** Ends early as the close begins and as it ends. */
  #sleep(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#abort.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(wake, Math.min(delayMs, limits.timerAtMostMs))
      const self = this
      function wake() {
        clearTimeout(timer)
        self.#wake = undefined
        resolve()
      }
      this.#wake = wake
    })
  }

  #say(words: string): void {
    this.#tellPeople(`webhook ${this.#url.origin}: ${words}`)
  }

  /** At once, and then at most every few seconds with what has come together. `why` is that of what was lost since it was asked last. */
  #sayLosses(why: string): void {
    const { lost, merged } = this.#outbox
    if (lost + merged > this.#seen) this.#lossWhy = why
    this.#seen = lost + merged
    const words = [
      lost > this.#told.lost ? `${counted(lost - this.#told.lost, 'change was', 'changes were')} lost` : '',
      merged > this.#told.merged ? `${counted(merged - this.#told.merged, 'change was', 'changes were')} merged` : '',
    ].filter((each) => each !== '')
    if (words.length === 0 || this.#sayTimer) return
    this.#told = { lost, merged }
    this.#say(`${words.join(' and ')}: ${this.#lossWhy}`)
    this.#sayTimer = setTimeout(() => this.#sayLossesNow(this.#lossWhy), this.#limits.sayEveryMs)
    this.#sayTimer.unref()
  }

  #sayLossesNow(why: string): void {
    clearTimeout(this.#sayTimer)
    this.#sayTimer = undefined
    this.#sayLosses(why)
    if (!this.#isClosing) return
    clearTimeout(this.#sayTimer)
    this.#sayTimer = undefined
  }
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

function bodyOf({ changes, lost, merged }: Batch<ChangeRecord>): string {
  return JSON.stringify({
    type: 'health.changed',
    timestamp: new Date(changes.at(-1)!.at).toISOString(),
    data: { changes, ...(lost > 0 && { lost }), ...(merged > 0 && { merged }) },
  })
}

const expected = 'expected one such as https://alerts.example/hook'

function readUrl(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined
  if (!url) throw new TypeError(`the webhook's URL cannot be read: ${expected}`)
  if (!['http:', 'https:'].includes(url.protocol))
    throw new TypeError(`the webhook's URL is of ${url.protocol.slice(0, -1)}: ${expected}`)
  try {
    decodeURIComponent(url.username + url.password)
  } catch {
    throw new TypeError(`the webhook's URL has a user or a password with a bad % in it: write a percent sign as %25`)
  }
  return url
}
