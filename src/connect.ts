/**
 * The main path of one connect: target, addresses, attempts in order, descriptor; then socket, and TLS on top.
 * Each step that holds something lets go of it before the call's promise settles.
 */

import { isIP, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
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
import type { Engine } from './engines/engine.js'
import { classify, codeOf, isFamilyDisabled } from './errnos.js'
import { ConnectError } from './errors.js'
import type { Resolver } from './resolver.js'
import type { AttemptRecord, ConnectOptions, Target } from './types.js'

/** One call in progress: what it may use, what it has tried, and how it is cancelled. */
export interface Call {
  readonly engine: Engine
  readonly resolver: Resolver
  readonly cancellation: Cancellation
  readonly options: ConnectOptions & { attemptTimeoutMs: number }
  readonly attempts: AttemptRecord[]
  nameMs?: number
}

export interface Established {
  /** The connected descriptor; the caller's to end. */
  claim: Claim
  endpoint: Endpoint
}

/**
 * Connects to the first address that takes it, in order.
 * @throws ConnectError with every attempt; the cancellation's error once everything is released.
 */
export async function establish(target: Target, call: Call): Promise<Established> {
  const endpoints = await addressesOf(parseTarget(target), call)
  const errors: ConnectError[] = []
  for (const endpoint of endpoints) {
    call.cancellation.throwIfRequested()
    const blocked = refuseBlocked(endpoint, call.options)
    if (blocked) {
      errors.push(blocked)
      continue
    }
    const outcome = await attempt(endpoint, call)
    if (outcome.state === 'connected') {
      if (!call.cancellation.requested) return { claim: outcome.claim!, endpoint }
      outcome.claim!.close()
    }
    call.cancellation.throwIfRequested()
    errors.push(errorOf(outcome, endpoint, call))
  }
  throw combine(errors, call)
}

/** Names to endpoints; what is numeric or a path already is one. */
async function addressesOf(target: ParsedTarget, call: Call): Promise<Endpoint[]> {
  if (target.kind === 'endpoint') return [withZone(target.endpoint, target.zone)]
  const { hostname, port } = target
  const { cancellation, options, resolver } = call
  const startedAt = performance.now()
  const { signal } = cancellation
  const addresses = options.lookup
    ? await cancellation.race(options.lookup(hostname, { signal }))
    : await resolver.resolve(hostname, { signal })
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

/** One connect(2), cancelled when the call is. */
function attempt(endpoint: Endpoint, call: Call): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = requestFor(endpoint, call.options, false)
    const running = call.engine.submit(request, (outcome) => {
      stop()
      call.attempts.push(recordOf(outcome, endpoint, call))
      resolve(outcome)
    })
    const stop = call.cancellation.onRequest(() => running.cancel())
  })
}

export function requestFor(endpoint: Endpoint, options: Call['options'], probe: boolean): AttemptRequest {
  const timeoutMs = Number.isFinite(options.attemptTimeoutMs) ? Math.ceil(options.attemptTimeoutMs) : 0
  return { remote: encodeEndpoint(endpoint), local: sourceFor(endpoint, options), timeoutMs, probe }
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

function recordOf(outcome: Outcome, endpoint: Endpoint, call: Call): AttemptRecord {
  const { startedAt, durationMs } = outcome
  const record: AttemptRecord = { endpoint: formatEndpoint(endpoint), engine: call.engine.name, startedAt, durationMs }
  if (outcome.state === 'connected') return record
  if (outcome.state === 'cancelled') return { ...record, code: 'ABORT_ERR' }
  const { code, errnoClass } = verdict(outcome, endpoint, call.options)
  return { ...record, code, errnoClass }
}

/** A failed attempt's code and class, told from what was asked for. */
export function verdict(outcome: Outcome, endpoint: Endpoint, { localAddress, localPort }: ConnectOptions) {
  if (outcome.state !== 'failed') return { code: 'ERR_WORKER_ENDED', errnoClass: 'local' as const }
  const code = codeOf(outcome.errno)
  const errnoClass = classify(code, {
    family: endpoint.family,
    localFixed: localAddress !== undefined || localPort !== undefined,
    familyDisabled: isFamilyDisabled(code, endpoint.family),
  })
  return { code, errnoClass }
}

function errorOf(outcome: Outcome, endpoint: Endpoint, call: Call): ConnectError {
  const { code, errnoClass } = verdict(outcome, endpoint, call.options)
  const failed = outcome.state === 'failed' ? outcome : undefined
  const timedOutBy = code === 'ETIMEDOUT' ? (failed?.byDeadline ? 'deadline' : 'kernel') : undefined
  const { attempts } = call
  return new ConnectError({ code, syscall: failed?.call ?? 'connect', endpoint, errnoClass, attempts, timedOutBy })
}

/** Of several failures the last one speaks, and carries all. */
function combine(errors: ConnectError[], call: Call): ConnectError {
  const last = errors.at(-1)
  if (!last)
    return new ConnectError({ code: 'ENOTFOUND', syscall: 'connect', errnoClass: 'name', attempts: call.attempts })
  last.attempts = call.attempts
  if (errors.length > 1) last.errors = errors
  return last
}

/** TLS on top of a connected socket. Cancelled or failed, both are closed before the promise settles. */
export async function secure(socket: Socket, target: Target, call: Call): Promise<TLSSocket> {
  const { tls } = call.options
  const parsed = parseTarget(target)
  const options: ConnectionOptions = { ...(typeof tls === 'object' ? tls : {}), socket }
  if (parsed.kind === 'name') options.servername ??= parsed.hostname
  else if (parsed.endpoint.family !== 'unix') options.host ??= parsed.endpoint.address
  const secured = tlsConnect(options)
  try {
    await handshake(secured, call.cancellation)
    return secured
  } catch (error) {
    await Promise.all([closed(secured), closed(socket)])
    call.cancellation.throwIfRequested()
    throw protocolError(error as NodeJS.ErrnoException, parsed, call)
  }
}

/** Destroys a socket and waits until its descriptor is closed. */
export function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.destroy()
  })
}

function handshake(secured: TLSSocket, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = cancellation.onRequest(() => settle(new Error('cancelled')))
    const failed = (error: Error) => settle(error)
    const ended = () => settle(Object.assign(new Error('the peer closed the connection'), { code: 'ECONNRESET' }))
    const done = () => settle()
    function settle(error?: Error) {
      stop()
      secured.off('secureConnect', done).off('close', ended)
      if (error) reject(error)
      else {
        secured.off('error', failed)
        resolve()
      }
    }
    secured.once('secureConnect', done).once('close', ended).on('error', failed)
  })
}

function protocolError(error: NodeJS.ErrnoException, target: ParsedTarget, call: Call): ConnectError {
  const code = error.code ?? 'EPROTO'
  const endpoint = target.kind === 'endpoint' ? target.endpoint : undefined
  const known = classify(code)
  const errnoClass = known === 'unknown' ? 'protocol' : known
  return new ConnectError({
    code,
    syscall: 'tls',
    endpoint,
    errnoClass,
    attempts: call.attempts,
    detail: error.message,
    cause: error,
  })
}
