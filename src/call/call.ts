/** One call in progress: what was asked for, what it may use, how far it has come, and how it ends. */
import { performance } from '../core/clock.js'
import type { Endpoint, InetEndpoint } from '../core/endpoint.js'
import type { Expiring } from '../core/expiring.js'
import * as limits from '../core/limits.js'
import { Patience } from '../core/retry.js'
import type { ParsedTarget } from '../core/target.js'
import type { Phase } from '../core/verdict.js'
import type { Engine } from '../engines/engine.js'
import { type ConnectError, deadlineError } from '../errors/connect-error.js'
import type { Resolver } from '../names/resolver.js'
import type { AttemptRecord } from '../types.js'
import { Cancellation } from './cancellation.js'
import { Deadline } from './deadline.js'
import type { CallSettings } from './settings.js'
import type { Supervision } from './supervised-attempt.js'

/** What calls share, and a call may use. */
export interface Means {
  readonly engine: Engine
  readonly resolver: Resolver
  readonly supervision: Supervision
  /** By name and port: the address that was found by passing over others. */
  readonly lastGood: Expiring<string, string>
  /** True in a check: `timeoutMs` bounds the target's own time, and a wait for this machine stops the clock. */
  readonly clockStops?: boolean | undefined
}

/** A name that is being looked up. */
export interface Naming {
  /** The name was looked up in an earlier try, so a kept "no such name" must not be believed now. */
  readonly fresh: boolean
  /** An address is known, or that there is none. Later calls say nothing. */
  known(): void
  /** The look-up begins or ends to wait for its turn on this machine. It counts until an address is known; then the attempts count. */
  waits(on: boolean): void
}

/** A call tells its observer each step as it happens. The observer may cancel the call. */
export interface Observer {
  /** Addresses of its name are known. */
  found(endpoints: readonly InetEndpoint[]): void
  /** Its name has no address, or nobody could say. */
  notFound(error: unknown): void
  /** A connect(2) is about to start. */
  starts(endpoint: Endpoint): void
  /** It has failed. */
  failed(endpoint: Endpoint, error: ConnectError): void
}

export class Call {
  readonly target: ParsedTarget
  readonly settings: CallSettings
  readonly means: Means
  readonly cancellation: Cancellation
  readonly deadline: Deadline
  readonly patience: Patience
  readonly observer: Observer | undefined
  /** As performance.now() had it. */
  readonly startedAt = performance.now()
  /** Every attempt that has ended so far, of all tries, in the order of their starts. */
  readonly attempts: AttemptRecord[] = []
  /** When each of them started, as performance.now() has it. */
  #starts: number[] | undefined
  #phase: Phase = 'connect'
  /** An attempt was made, or waits for its turn. */
  #begun = false
  #timedOut = false
  /** Its name was looked up in an earlier try. */
  #named = false
  #endpoint: Endpoint | undefined
  #nameMs: number | undefined
  #connectMs: number | undefined
  #tlsMs: number | undefined
  #heard: (() => string) | undefined

  constructor(target: ParsedTarget, settings: CallSettings, means: Means, observer?: Observer) {
    this.target = target
    this.observer = observer
    this.patience = new Patience(settings.patient === false ? 0 : limits.requeuesAtMost)
    this.settings = settings
    this.means = means
    this.cancellation = new Cancellation(settings.signal)
    this.deadline = new Deadline(this)
    const { timeoutMs, attemptTimeoutMs, tls } = settings
    // Without these the call may be one attempt, and then its engine keeps the limit.
    if (!means.engine.startsAtOnce || timeoutMs < attemptTimeoutMs || tls) this.deadline.arm()
  }

  /** The name that the target is, or is an address of. */
  get hostname(): string | undefined {
    return this.target.hostname
  }

  /** What was tried last, or took the connect. */
  get endpoint(): Endpoint | undefined {
    return this.#endpoint
  }

  /** Until the first address was known; the winner's connect(2); the handshakes. Milliseconds, undefined where there was none. */
  get timings(): { nameMs: number | undefined; connectMs: number | undefined; tlsMs: number | undefined } {
    return { nameMs: this.#nameMs, connectMs: this.#connectMs, tlsMs: this.#tlsMs }
  }

  /** The name is being looked up, until it is known. */
  startsNaming(): Naming {
    const startedAt = performance.now()
    const fresh = this.#named
    this.#named = true
    this.#phase = 'name'
    this.#nameMs = undefined
    this.deadline.arm()
    return {
      fresh,
      known: () => {
        if (this.#phase === 'name') this.#phase = 'connect'
        this.#nameMs ??= performance.now() - startedAt
      },
      waits: (on) => {
        if (this.#phase !== 'name') return
        if (on) this.patience.waits(performance.now())
        else this.patience.runs(performance.now())
      },
    }
  }

  /** An attempt at `endpoint` is about to wait for its turn. True for every one but the call's first. */
  startsAttempt(endpoint: Endpoint): boolean {
    const again = this.#begun
    this.#begun = true
    this.#phase = 'connect'
    this.#endpoint = endpoint
    this.#tlsMs = undefined
    this.#heard = undefined
    return again
  }

  endsAttempt(record: AttemptRecord): void {
    // An attempt that the call's own deadline cancelled has timed out.
    if (record.code === 'ABORT_ERR' && this.#timedOut)
      Object.assign(record, { code: 'ETIMEDOUT', errnoClass: 'timed-out' })
    // Attempts that race end in any order. The wall clock may be set meanwhile, so it does not tell which began first.
    const startedAt = performance.now() - record.durationMs
    this.#starts ??= []
    let at = this.#starts.length
    while (at > 0 && this.#starts[at - 1]! > startedAt) at -= 1
    this.#starts.splice(at, 0, startedAt)
    this.attempts.splice(at, 0, record)
  }

  connected(endpoint: Endpoint, connectMs: number): void {
    // A loser may have been tried after the winner.
    this.#endpoint = endpoint
    this.#connectMs = connectMs
  }

  /** A TLS handshake is under way until the result is called. One that STARTTLS begins may follow another. */
  startsHandshake(): () => void {
    const startedAt = performance.now()
    this.#phase = 'tls'
    return () => {
      this.#phase = 'connect'
      this.#tlsMs = (this.#tlsMs ?? 0) + performance.now() - startedAt
    }
  }

  /** A probe is in this phase. `heard`: what its peer has said, for an error that ends it. */
  startsStep(phase: 'send' | 'expect', heard: () => string): void {
    this.#phase = phase
    this.#heard = heard
    this.deadline.arm()
  }

  /** The call is over: its signal and its timer are let go. */
  end(): void {
    this.deadline.end()
    this.cancellation.end()
  }

  get timeoutMs(): number {
    return this.settings.timeoutMs
  }

  /** For how long the clock of `timeoutMs` has stood. Milliseconds. */
  get pausedMs(): number {
    if (!this.means.clockStops) return 0
    return Math.min(this.patience.waitedMs(performance.now()), limits.pauseAtMostMs)
  }

  /** Its deadline has passed. */
  expire(): void {
    this.#timedOut = true
    const phase = this.#phase
    const { pausedMs } = this
    // Made once everything is released, so that it knows every attempt, and what each had to wait for.
    this.cancellation.request(() => {
      // A wait for which the clock stood took none of the target's time.
      const waitedMs = this.patience.waitedMs(performance.now()) - pausedMs
      const { attempts, hostname, endpoint } = this
      const heard = this.#heard?.()
      return deadlineError(this.settings.timeoutMs, { phase, waitedMs, attempts, hostname, endpoint, heard })
    })
  }
}
