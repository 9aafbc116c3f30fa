/** One target of a check: what is tried, and what it says of the target. */

import { binding } from '../bridge/binding.js'
import { closeSocket, Descriptor } from '../bridge/descriptor.js'
import type { AttemptRequest, Outcome } from '../bridge/registry.js'
import { settleSoon } from '../bridge/settling.js'
import { addressesOf } from '../call/addresses.js'
import { refuseBlocked } from '../call/block-list.js'
import { type Call, establish, failureOf, probe, refuseFamily, requestFor } from '../call/connect.js'
import { SupervisedAttempt } from '../call/supervisor.js'
import { secure } from '../call/tls.js'
import { type Endpoint, formatEndpoint, hostOf } from '../core/endpoint.js'
import type { ErrnoClass } from '../core/errno.js'
import { toText } from '../core/invalid-target.js'
import type { Failure } from '../core/retry.js'
import { formatTarget, type ParsedTarget, parseTarget } from '../core/target.js'
import { clause, sentence } from '../core/text.js'
import { ConnectError, meaningOf, noAnswerWithin } from '../errors/errors.js'
import type { CheckResult, ConnectOptions, Target } from '../types.js'
import type { CheckContext } from './check.js'

/** What a failure's class says of the target. A reason that lies on this side says nothing. */
const statusOf: Record<ErrnoClass, CheckResult['status']> = {
  refused: 'down',
  'timed-out': 'down',
  unreachable: 'down',
  busy: 'down',
  denied: 'down',
  protocol: 'down',
  name: 'unknown',
  local: 'unknown',
  misuse: 'unknown',
  pending: 'unknown',
  unknown: 'unknown',
}

/** Calls `done` once, later: with one result, with one an address for `allAddresses`, with none where the check was cancelled. */
export type Done = (results: readonly CheckResult[]) => void

/** Gives a place in the line back; undefined where the check was cancelled before it came up. */
type Leave = (() => void) | undefined

const nothingToLeave = () => {}

/** Waits for the check's own limits. `start` is called once: now, or later. */
export function standInLine(host: string | undefined, context: CheckContext, start: (leave: Leave) => void): void {
  const { cancellation, line } = context
  if (!line) {
    start(nothingToLeave)
    return
  }
  let stop: (() => void) | undefined
  let waits = true
  const pass = line.enter(host, () => {
    waits = false
    stop?.()
    start(() => pass.end())
  })
  if (!waits) return
  stop = cancellation.onRequest(() => {
    pass.end()
    settleSoon(() => start(undefined))
  })
}

/** A target that can be read, or the result that says why not. */
export function readTarget(target: Target): ParsedTarget | CheckResult {
  try {
    return parseTarget(target)
  } catch (error) {
    return unreadable(target, error)
  }
}

export function checkTarget(target: Target, parsed: ParsedTarget, context: CheckContext, done: Done): void {
  const written = formatTarget(target)
  try {
    const endpoint = oneStep(parsed, context)
    if (endpoint) new EndpointCheck(written, endpoint, context, done).begin()
    else {
      const everyAddress = context.settings.allAddresses && parsed.kind === 'name'
      const results = everyAddress ? checkAddresses(target, context) : checkCall(target, context)
      results.then(done, (error) => done([failedCheck(written, Date.now(), error)]))
    }
  } catch (error) {
    // A block list of the caller's making may throw, and anything; what never came to a result would be waited for for ever.
    settleSoon(() => done([failedCheck(written, Date.now(), error)]))
  }
}

/** The endpoint of a target for which one attempt is the whole check. */
function oneStep(parsed: ParsedTarget, { settings }: CheckContext): Endpoint | undefined {
  if (parsed.kind !== 'endpoint' || parsed.zone !== undefined || settings.tls || settings.retry) return undefined
  const refused = refuseBlocked(parsed.endpoint, settings) ?? refuseFamily(parsed.endpoint, settings)
  return refused ? undefined : parsed.endpoint
}

/** The plain case, which a million targets are: one attempt, whose deadline its engine keeps. */
class EndpointCheck extends SupervisedAttempt {
  readonly #target: string
  readonly #endpoint: Endpoint
  readonly #context: CheckContext
  readonly #done: Done

  constructor(target: string, endpoint: Endpoint, context: CheckContext, done: Done) {
    super(context.engine, context.supervision)
    this.#target = target
    this.#endpoint = endpoint
    this.#context = context
    this.#done = done
  }

  get endpoint(): string {
    return formatEndpoint(this.#endpoint)
  }

  protected get host(): string {
    return hostOf(this.#endpoint)
  }

  override begin(): void {
    super.begin()
    this.#context.cancellation.join(this)
  }

  protected request(): AttemptRequest {
    return requestFor(this.#endpoint, this.#context.alone, true)
  }

  protected judge(outcome: Outcome): Failure | undefined {
    return failureOf(outcome, this.#endpoint, this.#context.settings)
  }

  protected done(outcome: Outcome, attempts: number, failure: Failure | undefined): void {
    this.#context.cancellation.leave(this)
    if (outcome.state === 'cancelled') this.#done([])
    else this.#done([this.#resultOf(outcome, attempts, failure)])
  }

  /** Property by property: spreads cost more than the connect of one that refuses. */
  #resultOf(outcome: Outcome, attempts: number, failure: Failure | undefined): CheckResult {
    const { startedAt, durationMs } = outcome
    const endpoint = this.#endpoint
    const result: CheckResult = { target: this.#target, status: 'up', attempts, startedAt }
    if (endpoint.family === 'unix') result.path = endpoint.path
    else {
      result.address = endpoint.address
      result.port = endpoint.port
    }
    if (!failure) {
      result.connectMs = durationMs
      return result
    }
    const failed = outcome.state === 'failed' ? outcome : undefined
    result.status = statusFor(failure, failed?.call ?? 'connect')
    result.code = failure.code
    result.errnoClass = failure.errnoClass
    const advice = failed?.byDeadline ? noAnswerWithin(this.#context.alone.attemptTimeoutMs) : undefined
    result.reason = meaningOf(failure, advice)
    return result
  }
}

/** Names, zones, retries, TLS, block lists: everything that takes more than one step is a connect() that is closed again. */
async function checkCall(target: Target, context: CheckContext, options?: ConnectOptions): Promise<CheckResult[]> {
  const { cancellation, run } = context
  const common = { target: formatTarget(target), startedAt: Date.now() }
  let call: Call | undefined
  const work = (running: Call) => {
    call = running
    return running.options.tls ? probeSecurely(running) : probe(running)
  }
  try {
    const endpoint = await run(target, work, options)
    return [{ ...common, ...placeOf(endpoint), status: 'up', connectMs: call!.connectMs!, ...timesOf(call) }]
  } catch (error) {
    if (cancellation.requested) return []
    return [{ ...common, ...failedResult(error, call?.endpoint), ...timesOf(call) }]
  }
}

async function probeSecurely(call: Call): Promise<Endpoint> {
  const { claim, endpoint } = await establish(call)
  await closeSocket(await secure(new Descriptor(claim).adopt(), call))
  return endpoint
}

/** One result an address, each as if the name had no other; the name's own where it has none. */
async function checkAddresses(target: Target, context: CheckContext): Promise<CheckResult[]> {
  const { cancellation, run } = context
  const startedAt = Date.now()
  try {
    const endpoints = await run(target, addressesOf)
    if (endpoints.length === 0) return await checkCall(target, context, { lookup: async () => [] })
    const each = endpoints.map(async (endpoint, index) => {
      // The first one's place in the line is the target's.
      const leave =
        index === 0 ? nothingToLeave : await new Promise<Leave>((resolve) => standInLine(undefined, context, resolve))
      if (!leave) return []
      try {
        return await checkCall(target, context, { lookup: async () => [addressIn(endpoint)] })
      } finally {
        leave()
      }
    })
    return (await Promise.all(each)).flat()
  } catch (error) {
    if (cancellation.requested) return []
    return [failedCheck(formatTarget(target), startedAt, error)]
  }
}

function addressIn(endpoint: Endpoint): string {
  if (endpoint.family === 'unix') return endpoint.path
  return endpoint.family === 'inet6' && endpoint.scopeId ? `${endpoint.address}%${endpoint.scopeId}` : endpoint.address
}

const timesOf = (call: Call | undefined) => ({
  attempts: call?.attempts.length ?? 0,
  // A difference of two floating-point numbers has digits that nobody measured.
  ...(call?.nameMs === undefined ? {} : { nameMs: Math.round(call.nameMs * 1_000) / 1_000 }),
})

/** Of a check that came to no attempt. */
const failedCheck = (target: string, startedAt: number, error: unknown): CheckResult => ({
  target,
  startedAt,
  ...failedResult(error),
  attempts: 0,
})

/** `tried`: the endpoint that was tried last. */
function failedResult(error: unknown, tried?: Endpoint): Omit<CheckResult, 'target' | 'attempts' | 'startedAt'> {
  if (!(error instanceof ConnectError))
    return {
      status: 'unknown',
      code: 'ERR_CHECK',
      errnoClass: 'unknown',
      reason: sentence(`it could not be checked: ${wordsOf(error)}`),
    }
  const { code, errnoClass, syscall, address, port, path } = error
  const own = { ...(address && { address }), ...(port && { port }), ...(path && { path }) }
  // An error of bind tells the source, and the target is what was checked.
  const place = syscall === 'bind' ? tried && placeOf(tried) : own
  const means = error.meaning()
  const status = statusFor(error, syscall)
  const untried = status === 'down' && error.errors?.find(mightHaveAnswered)
  const reason = untried
    ? sentence(`${clause(means)}, and another of its addresses was not tried: ${clause(untried.meaning())}`)
    : means
  return { ...place, status: untried ? 'unknown' : status, errnoClass, code, reason }
}

/** Of what a caller's code threw, which may be anything. */
function wordsOf(thrown: unknown): string {
  try {
    const { message } = Object(thrown)
    if (typeof message === 'string') return message
  } catch {
    // Its message is a getter that throws.
  }
  return `${toText(thrown)} was thrown`
}

function unreadable(target: Target, error: unknown): CheckResult {
  const written = typeof target === 'string' ? target : toText(target)
  const code = 'ERR_INVALID_TARGET'
  return {
    target: written,
    status: 'unknown',
    code,
    errnoClass: 'misuse',
    reason: sentence(wordsOf(error)),
    attempts: 0,
    startedAt: Date.now(),
  }
}

/** An address that could not be tried, unless the caller wanted none of it. */
const mightHaveAnswered = (error: ConnectError) =>
  error.code !== 'ERR_BLOCKED' && statusFor(error, error.syscall) === 'unknown'

/**
 * A name that does not exist is down; one that could not be asked for says nothing. Nor does a call on this side of the
 * connect that failed, a family that this machine has switched off, or a block list's bar: nothing was asked of the target.
 */
function statusFor({ code, errnoClass }: Failure, syscall: string): CheckResult['status'] {
  if (code === 'ENOTFOUND') return 'down'
  return ownCalls.has(syscall) || saysNothing.has(code) ? 'unknown' : statusOf[errnoClass]
}

const saysNothing = new Set(['EADDRNOTAVAIL', 'ERR_BLOCKED'])

const ownCalls = new Set(binding.callNames.filter((name) => name !== 'connect'))

function placeOf(endpoint: Endpoint): Pick<CheckResult, 'address' | 'port' | 'path'> {
  return endpoint.family === 'unix' ? { path: endpoint.path } : { address: endpoint.address, port: endpoint.port }
}
