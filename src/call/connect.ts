/**
 * The main path of one connect: target, addresses, the race of their attempts, descriptor. Each step that holds something
 * lets go of it before the call's promise settles.
 */

import type { AttemptRequest, Claim, Outcome } from '../bridge/registry.js'
import type { InetEndpoint } from '../core/endpoint.js'
import { type Endpoint, endpointOf, formatEndpoint, hostOf } from '../core/endpoint.js'
import type { Expiring } from '../core/expiring.js'
import { normaliseHostname } from '../core/hostname.js'
import * as limits from '../core/limits.js'
import { type Failure, type Patience, speaker } from '../core/retry.js'
import { encodeEndpoint } from '../core/sockaddr.js'
import type { ParsedTarget } from '../core/target.js'
import type { Engine } from '../engines/engine.js'
import { classify, codeOf, isFamilyDisabled } from '../errors/errnos.js'
import { ConnectError, noAnswerWithin, withoutStack } from '../errors/errors.js'
import type { Resolver } from '../names/resolver.js'
import { byPreference } from '../names/sources.js'
import type { AttemptRecord, ConnectOptions } from '../types.js'
import { askFor, type NamedTarget, type NumericTarget, withZone } from './addresses.js'
import { refuseBlocked } from './block-list.js'
import type { Cancellation } from './cancellation.js'
import type { Deadline } from './deadline.js'
import { race } from './racing.js'
import { SupervisedAttempt, type Supervision } from './supervisor.js'

/** One call in progress: what it may use, what it has tried, and how it is cancelled. */
export interface Call {
  readonly target: ParsedTarget
  readonly engine: Engine
  readonly resolver: Resolver
  readonly cancellation: Cancellation
  readonly deadline: Deadline
  readonly options: ConnectOptions & { attemptTimeoutMs: number; halfOpen?: boolean | undefined }
  readonly supervision: Supervision
  readonly patience: Patience
  /** Every attempt that has ended so far, of all tries, in the order of their starts. */
  readonly attempts: AttemptRecord[]
  /** By name and port: the address that was found by passing over others. */
  readonly lastGood: Expiring<string, string>
  /** An attempt was made, or waits for its turn. */
  begun: boolean
  /** As performance.now() had it. */
  readonly startedAt: number
  /** Until the first address was known; the winner's connect(2). */
  nameMs?: number
  connectMs?: number
  /** No address is known yet. */
  naming?: boolean
  /** The name was asked for in an earlier try. */
  nameAsked?: boolean
  /** What is looked up, and what was tried last: for errors that are made from outside. */
  hostname?: string
  endpoint?: Endpoint
}

interface Connected {
  claim?: Claim | undefined
  endpoint: Endpoint
}

/**
 * Connects to the first address that takes it. The descriptor is the caller's to end.
 * @throws ConnectError with every attempt; the cancellation's error once everything is released.
 */
export function establish(call: Call): Promise<Connected & { claim: Claim }> {
  return firstToConnect(call, false) as Promise<Connected & { claim: Claim }>
}

/** The same by a probe, which leaves nothing open: the endpoint that took it. */
export async function probe(call: Call): Promise<Endpoint> {
  return (await firstToConnect(call, true)).endpoint
}

function firstToConnect(call: Call, asProbe: boolean): Promise<Connected> {
  const { target } = call
  return target.kind === 'name' ? raceFor(target, call, asProbe) : connectTo(target, call, asProbe)
}

/** Nobody to race against. */
function connectTo(target: NumericTarget, call: Call, asProbe: boolean): Promise<Connected> {
  return new Promise((resolve, reject) => {
    const { cancellation, options, deadline } = call
    cancellation.throwIfRequested()
    const endpoint = withZone(target)
    const refused = refuseBlocked(endpoint, options) ?? refuseFamily(endpoint, options)
    if (refused) throw combine([refused], call)
    // A full backlog of AF_UNIX is waited for on a lane, which may have to be started first.
    if (endpoint.family === 'unix') deadline.arm()
    const attempt = new CallAttempt(endpoint, call, asProbe, (outcome) => {
      cancellation.leave(attempt)
      if (outcome.state === 'connected' && !cancellation.requested) {
        call.connectMs = outcome.durationMs
        resolve({ claim: outcome.claim, endpoint })
      } else {
        if (outcome.state === 'connected') outcome.claim?.close()
        reject(cancellation.requested ? cancellation.error() : errorOf(outcome, endpoint, call))
      }
    })
    attempt.begin()
    cancellation.join(attempt)
  })
}

/** A name's addresses race as they become known; every loser has let go when this settles. */
async function raceFor(target: NamedTarget, call: Call, asProbe: boolean): Promise<Connected> {
  const { cancellation, options, lastGood } = call
  cancellation.throwIfRequested()
  call.hostname = target.hostname
  const errors: ConnectError[] = []
  // Of what the source rules out nothing is said, unless nothing else is left.
  const ruledOut: ConnectError[] = []
  const key = `${normaliseHostname(target.hostname)}:${target.port}`
  const winner = await race(
    {
      lastGood: lastGood.get(key, performance.now()),
      // Whoever looks up names of its own has said the order.
      order: options.lookup ? undefined : byPreference,
      names: (told, signal) =>
        askFor(target, call, signal, (families, endpoints, error) => {
          if (error) errors.push(error)
          told(families, endpoints.filter(isWanted))
        }),
      bar: (endpoint) => refuseBlocked(endpoint, options),
      start(endpoint, started, done) {
        const attempt = new CallAttempt(endpoint, call, asProbe, done, started)
        attempt.begin()
        return attempt
      },
      failed(why) {
        errors.push(why instanceof ConnectError ? why : errorOf(why.outcome, why.endpoint, call))
      },
    },
    cancellation,
  )
  function isWanted(endpoint: Endpoint): boolean {
    const foreign = refuseFamily(endpoint, options)
    if (foreign) ruledOut.push(foreign)
    const blocked = foreign ? undefined : refuseBlocked(endpoint, options)
    if (blocked) errors.push(blocked)
    return !foreign && !blocked
  }
  if (!winner) throw combine(errors.length > 0 ? errors : ruledOut, call)
  const { endpoint, outcome, passedOthers } = winner
  // What had to be found is worth remembering; the order of those who come first is the name's own affair.
  if (passedOthers) lastGood.set(key, formatEndpoint(endpoint), performance.now() + limits.lastGoodMs)
  call.connectMs = outcome.durationMs
  // A loser may have been tried after it.
  call.endpoint = endpoint
  return { claim: outcome.claim, endpoint }
}

/** One connect(2) of a call, and more where this machine is what fails. */
class CallAttempt extends SupervisedAttempt {
  readonly endpoint: string
  readonly #endpoint: Endpoint
  readonly #call: Call
  readonly #asProbe: boolean
  readonly #done: (outcome: Outcome) => void
  readonly #started: (() => void) | undefined

  constructor(
    endpoint: Endpoint,
    call: Call,
    asProbe: boolean,
    done: (outcome: Outcome) => void,
    started?: () => void,
  ) {
    super(call.engine, call.supervision, call.patience, call.begun)
    this.endpoint = formatEndpoint(endpoint)
    this.#endpoint = endpoint
    this.#call = call
    this.#asProbe = asProbe
    this.#done = done
    this.#started = started
    call.begun = true
    call.endpoint = endpoint
  }

  protected get host(): string {
    return hostOf(this.#endpoint)
  }

  protected request(): AttemptRequest {
    return requestFor(this.#endpoint, this.#call.options, this.#asProbe)
  }

  protected judge(outcome: Outcome): Failure | undefined {
    const { attempts, options, engine } = this.#call
    const failure = failureOf(outcome, this.#endpoint, options)
    attempts.push(recordOf(outcome, failure, this.endpoint, engine))
    // Those that race end in any order.
    attempts.sort((a, b) => a.startedAt - b.startedAt)
    return failure
  }

  protected override waits(): void {
    this.#call.deadline.arm()
  }

  protected override started(): void {
    this.#started?.()
  }

  protected done(outcome: Outcome): void {
    this.#done(outcome)
  }
}

/** What an engine is asked for; a probe closes what it has connected with a reset. */
export function requestFor(endpoint: Endpoint, options: Call['options'], asProbe: boolean): AttemptRequest {
  const timeoutMs = Number.isFinite(options.attemptTimeoutMs) ? Math.ceil(options.attemptTimeoutMs) : 0
  const halfOpen = options.halfOpen && endpoint.family !== 'unix'
  const source = sourceFor(endpoint, options)
  const local = source && encodeEndpoint(source)
  return { family: endpoint.family, remote: encodeEndpoint(endpoint), local, timeoutMs, probe: asProbe, halfOpen }
}

/** Where the caller fixed the source, or a part of it. */
function sourceFor(endpoint: Endpoint, { localAddress, localPort }: ConnectOptions): InetEndpoint | undefined {
  if ((localAddress === undefined && localPort === undefined) || endpoint.family === 'unix') return undefined
  const any = endpoint.family === 'inet' ? '0.0.0.0' : '::'
  return endpointOf(localAddress ?? any, localPort ?? 0) as InetEndpoint
}

/** Whether the source that the caller fixed is of the other family. bind would say EAFNOSUPPORT or EINVAL, and not why. */
export function refuseFamily(endpoint: Endpoint, options: ConnectOptions): ConnectError | undefined {
  const source = sourceFor(endpoint, options)
  if (!source || source.family === endpoint.family) return undefined
  const means = `The source address is ${familyNames[source.family]}, and ${formatEndpoint(endpoint)} is not.`
  const remedy = 'Give a localAddress of the target’s family, or leave it out.'
  const advice = { means, remedy }
  return new ConnectError({ code: 'EAFNOSUPPORT', syscall: 'bind', endpoint: source, errnoClass: 'misuse', advice })
}

const familyNames = { inet: 'IPv4', inet6: 'IPv6' }

function recordOf(outcome: Outcome, failure: Failure | undefined, endpoint: string, engine: Engine): AttemptRecord {
  const { state, startedAt, durationMs } = outcome
  const record: AttemptRecord = { endpoint, engine: engine.name, startedAt, durationMs }
  if (failure) {
    record.code = failure.code
    record.errnoClass = failure.errnoClass
  } else if (state === 'cancelled') record.code = 'ABORT_ERR'
  return record
}

/** A failed attempt's code and class, told from what was asked for; undefined where it did not fail. */
export function failureOf(
  outcome: Outcome,
  endpoint: Endpoint,
  { localAddress, localPort }: ConnectOptions,
): Failure | undefined {
  if (outcome.state === 'connected' || outcome.state === 'cancelled') return undefined
  if (outcome.state === 'lost') return { code: 'ERR_WORKER_ENDED', errnoClass: 'local' }
  const code = codeOf(outcome.errno)
  const errnoClass = classify(code, {
    // Of connect alone does the target's family say what an errno means.
    family: outcome.call === 'connect' ? endpoint.family : undefined,
    localFixed: localAddress !== undefined || localPort !== undefined,
    familyDisabled: isFamilyDisabled(code, endpoint.family),
  })
  return { code, errnoClass }
}

function errorOf(outcome: Outcome, endpoint: Endpoint, call: Call): ConnectError {
  const { attempts, options } = call
  const { code, errnoClass } = failureOf(outcome, endpoint, options)!
  const failed = outcome.state === 'failed' ? outcome : undefined
  const timedOutBy = code === 'ETIMEDOUT' ? (failed?.byDeadline ? 'deadline' : 'kernel') : undefined
  const syscall = failed?.call ?? 'connect'
  const advice = failed?.byDeadline ? noAnswerWithin(options.attemptTimeoutMs) : undefined
  const at = syscall === 'bind' ? sourceFor(endpoint, options) : endpoint
  const told = { code, syscall, endpoint: at, errnoClass, attempts, advice }
  return withoutStack(() => new ConnectError({ ...told, timedOutBy }))
}

/** Of several failures one speaks for all, and carries an error for each. */
function combine(errors: ConnectError[], { attempts, hostname }: Call): ConnectError {
  const speaks =
    speaker(errors) ?? new ConnectError({ code: 'ENOTFOUND', syscall: 'connect', hostname, errnoClass: 'name' })
  return withoutStack(() => speaks.forCall(attempts, errors))
}
