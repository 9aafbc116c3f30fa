/** The plain case, which a million targets are: one attempt without a call, whose limit its engine keeps. */
import type { AttemptRequest, Outcome } from '../bridge/registry.js'
import { requestFor } from '../call/request.js'
import { SupervisedAttempt } from '../call/supervised-attempt.js'
import { verdictOf } from '../call/verdict.js'
import { type Endpoint, formatEndpoint, hostOf } from '../core/endpoint.js'
import type { Verdict } from '../core/verdict.js'
import type { CheckResult } from '../types.js'
import type { CheckRun } from './run.js'

export class PlainProbe extends SupervisedAttempt {
  readonly #target: string
  readonly #endpoint: Endpoint
  readonly #run: CheckRun
  readonly #done: (results: readonly CheckResult[]) => void

  /** `done` is called once, later. `target`: as given. */
  constructor(target: string, endpoint: Endpoint, run: CheckRun, done: (results: readonly CheckResult[]) => void) {
    super(run.means.engine, run.means.supervision)
    this.#target = target
    this.#endpoint = endpoint
    this.#run = run
    this.#done = done
  }

  get endpoint(): string {
    return formatEndpoint(this.#endpoint)
  }

  protected get host(): string {
    return hostOf(this.#endpoint)
  }

  override begin(): void {
    this.#run.calls.countPlain(1)
    super.begin()
    this.#run.cancellation.join(this)
  }

  protected request(): AttemptRequest {
    return requestFor(this.#endpoint, this.#run.alone, true)
  }

  protected judge(outcome: Outcome): Verdict | undefined {
    return verdictOf(outcome, this.#endpoint, this.#run.alone)
  }

  protected done(outcome: Outcome, attempts: number, verdict: Verdict | undefined): void {
    this.#run.calls.countPlain(-1)
    this.#run.cancellation.leave(this)
    if (outcome.state === 'cancelled') this.#done([])
    else this.#done([this.#resultOf(outcome, attempts, verdict)])
  }

  /** Property by property: spreads cost more than the connect to a target that refuses. */
  #resultOf({ startedAt, durationMs }: Outcome, attempts: number, verdict: Verdict | undefined): CheckResult {
    const endpoint = this.#endpoint
    const result: CheckResult = { target: this.#target, status: 'up', attempts, startedAt }
    if (endpoint.family === 'unix') result.path = endpoint.path
    else {
      result.address = endpoint.address
      result.port = endpoint.port
    }
    if (!verdict) {
      result.connectMs = durationMs
      return result
    }
    result.status = verdict.status
    result.code = verdict.code
    result.errnoClass = verdict.errnoClass
    result.phase = verdict.phase
    result.reason = verdict.means
    return result
  }
}
