/**
 * The main path of one connect: target, addresses, attempts in order, descriptor. Each step that holds something lets go
 * of it before the call's promise settles.
 */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

import type { AttemptRequest, Claim, Outcome } from './attempts.js'
import type { Cancellation } from './cancellation.js'
import {
  type Endpoint,
  encodeEndpoint,
  endpointOf,
  formatEndpoint,
  type ParsedTarget,
  parseTarget,
  unmapIpv4,
} from './core/address.js'
import { type Failure, type Patience, speaker } from './core/retry.js'
import type { Engine } from './engines/engine.js'
import { classify, codeOf, isFamilyDisabled } from './errnos.js'
import { ConnectError, withoutStack } from './errors.js'
import type { Resolver } from './resolver.js'
import { requeued, SupervisedAttempt, type Supervision, type Task } from './supervisor.js'
import type { AttemptRecord, ConnectOptions, Target } from './types.js'

/** One call in progress: what it may use, what it has tried, and how it is cancelled. */
export interface Call {
  readonly engine: Engine
  readonly resolver: Resolver
  readonly cancellation: Cancellation
  readonly options: ConnectOptions & { attemptTimeoutMs: number; halfOpen?: boolean | undefined }
  readonly supervision: Supervision
  readonly patience: Patience
  /** Every attempt so far, of all tries. */
  readonly attempts: AttemptRecord[]
  nameMs?: number
  /** Names are being resolved. */
  naming?: boolean
}

/**
 * Connects to the first address that takes it, in order. The descriptor is the caller's to end.
 * @throws ConnectError with every attempt; the cancellation's error once everything is released.
 */
export async function establish(target: Target, call: Call): Promise<{ claim: Claim; endpoint: Endpoint }> {
  const endpoints = await addressesOf(parseTarget(target), call)
  const { claim, endpoint } = await firstToConnect(endpoints, call, false)
  return { claim: claim!, endpoint }
}

/** The same by a probe, which leaves nothing open: the endpoint that took it. */
export async function probe(target: Target, call: Call): Promise<Endpoint> {
  const endpoints = await addressesOf(parseTarget(target), call)
  return (await firstToConnect(endpoints, call, true)).endpoint
}

async function firstToConnect(
  endpoints: readonly Endpoint[],
  call: Call,
  asProbe: boolean,
): Promise<{ claim?: Claim | undefined; endpoint: Endpoint }> {
  const errors: ConnectError[] = []
  for (const endpoint of endpoints) {
    call.cancellation.throwIfRequested()
    const blocked = refuseBlocked(endpoint, call.options)
    if (blocked) {
      errors.push(blocked)
      continue
    }
    const outcome = await attempt(endpoint, call, asProbe)
    if (outcome.state === 'connected' && !call.cancellation.requested) return { claim: outcome.claim, endpoint }
    if (outcome.state === 'connected') outcome.claim?.close()
    call.cancellation.throwIfRequested()
    errors.push(errorOf(outcome, endpoint, call))
  }
  throw combine(errors, call)
}

/** Names to endpoints; what is numeric or a path already is one. */
export async function addressesOf(target: ParsedTarget, call: Call): Promise<Endpoint[]> {
  if (target.kind === 'endpoint') return [withZone(target.endpoint, target.zone)]
  const { hostname, port } = target
  const { cancellation, options, resolver } = call
  const startedAt = performance.now()
  const { signal } = cancellation
  call.naming = true
  const addresses = options.lookup
    ? await cancellation.race(options.lookup(hostname, { signal }))
    : await requeued(hostname, call, () => resolver.resolve(hostname, { signal }))
  call.naming = false
  call.nameMs = performance.now() - startedAt
  return addresses.map((address) => endpointOf(address, port) ?? notNumeric(hostname, address))
}

function notNumeric(hostname: string, address: string): never {
  throw new TypeError(`lookup of ${hostname} gave '${address}': expected numeric IPv4 or IPv6 addresses`)
}

/** A zone by name is this machine's matter: its index is looked up here. */
function withZone(endpoint: Endpoint, zone: string | undefined): Endpoint {
  if (zone === undefined || endpoint.family !== 'inet6' || endpoint.scopeId !== undefined) return endpoint
  const scopeId = networkInterfaces()[zone]?.find((entry) => entry.family === 'IPv6' && entry.scopeid)?.scopeid
  if (scopeId !== undefined) return { ...endpoint, scopeId }
  throw new ConnectError({
    code: 'EINVAL',
    syscall: 'connect',
    endpoint,
    errnoClass: 'misuse',
    detail: `no interface named '${zone}' has an IPv6 address; see 'ip -6 addr' for those that have`,
  })
}

/** One connect(2), and more where this machine is what fails; cancelled when the call is. */
function attempt(endpoint: Endpoint, call: Call, asProbe: boolean): Promise<Outcome> {
  const { engine, options, patience, supervision, cancellation, attempts } = call
  return new Promise((resolve) => {
    const task: Task = {
      ...taskFor(endpoint, engine, options, asProbe),
      patience,
      again: attempts.length > 0,
      judge(outcome) {
        const failure = failureOf(outcome, endpoint, options)
        attempts.push(recordOf(outcome, failure, endpoint, engine))
        return failure
      },
    }
    const running = new SupervisedAttempt(task, supervision, (outcome) => {
      stop()
      resolve(outcome)
    })
    const stop = cancellation.onRequest(() => running.cancel())
  })
}

/** What limits per host count by. */
export const hostOf = (endpoint: Endpoint): string => (endpoint.family === 'unix' ? endpoint.path : endpoint.address)

/** What an engine is asked for to make an attempt at `endpoint`; a probe closes it again with a reset. */
export function taskFor(endpoint: Endpoint, engine: Engine, options: Call['options'], asProbe: boolean): Task {
  return {
    engine,
    request: requestFor(endpoint, options, asProbe),
    endpoint: formatEndpoint(endpoint),
    host: hostOf(endpoint),
    judge: (outcome) => failureOf(outcome, endpoint, options),
  }
}

function requestFor(endpoint: Endpoint, options: Call['options'], asProbe: boolean): AttemptRequest {
  const timeoutMs = Number.isFinite(options.attemptTimeoutMs) ? Math.ceil(options.attemptTimeoutMs) : 0
  const halfOpen = options.halfOpen && endpoint.family !== 'unix'
  return { remote: encodeEndpoint(endpoint), local: sourceFor(endpoint, options), timeoutMs, probe: asProbe, halfOpen }
}

function sourceFor(endpoint: Endpoint, { localAddress, localPort }: ConnectOptions): Uint8Array | undefined {
  if ((localAddress === undefined && localPort === undefined) || endpoint.family === 'unix') return undefined
  const any = endpoint.family === 'inet' ? '0.0.0.0' : '::'
  const source = endpointOf(localAddress ?? any, localPort ?? 0)
  if (!source) throw new TypeError(`localAddress '${localAddress}' is not a numeric IPv4 or IPv6 address`)
  return encodeEndpoint(source)
}

/** Whether the block list bars an endpoint; an IPv4-mapped address is judged as the IPv4 address it is. */
export function refuseBlocked(endpoint: Endpoint, { blockList }: ConnectOptions): ConnectError | undefined {
  if (!blockList || endpoint.family === 'unix') return undefined
  const address = unmapIpv4(endpoint.address)
  if (!blockList.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')) return undefined
  return new ConnectError({ code: 'ERR_BLOCKED', syscall: 'connect', endpoint, errnoClass: 'denied' })
}

function recordOf(
  { state, startedAt, durationMs }: Outcome,
  failure: Failure | undefined,
  endpoint: Endpoint,
  engine: Engine,
): AttemptRecord {
  const why = state === 'cancelled' ? { code: 'ABORT_ERR' } : failure
  return { endpoint: formatEndpoint(endpoint), engine: engine.name, startedAt, durationMs, ...why }
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
    family: endpoint.family,
    localFixed: localAddress !== undefined || localPort !== undefined,
    familyDisabled: isFamilyDisabled(code, endpoint.family),
  })
  return { code, errnoClass }
}

function errorOf(outcome: Outcome, endpoint: Endpoint, call: Call): ConnectError {
  const { code, errnoClass } = failureOf(outcome, endpoint, call.options)!
  const failed = outcome.state === 'failed' ? outcome : undefined
  const timedOutBy = code === 'ETIMEDOUT' ? (failed?.byDeadline ? 'deadline' : 'kernel') : undefined
  const { attempts } = call
  const syscall = failed?.call ?? 'connect'
  return withoutStack(() => new ConnectError({ code, syscall, endpoint, errnoClass, attempts, timedOutBy }))
}

/** Of several failures one speaks, and carries all. */
function combine(errors: ConnectError[], call: Call): ConnectError {
  const speaks = speaker(errors)
  if (!speaks)
    return new ConnectError({ code: 'ENOTFOUND', syscall: 'connect', errnoClass: 'name', attempts: call.attempts })
  speaks.attempts = call.attempts
  if (errors.length > 1) speaks.errors = errors
  return speaks
}
