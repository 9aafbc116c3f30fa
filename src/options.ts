/** Checks of what a caller passes in: one clear error that names the option, what came and what was expected. */
import { protocolsOf } from './core/alpn.js'
import { endpointOf } from './core/endpoint.js'
import { show } from './core/invalid-target.js'
import {
  copyOf,
  isObject,
  type Kind,
  type Kinds,
  kind,
  nearestHint,
  numberKind,
  requireKind,
  settled,
  wholeNumber,
} from './core/kinds.js'
import * as limits from './core/limits.js'
import { settledRetryPolicy } from './core/retry.js'
import {
  type CheckOptions,
  type CheckTarget,
  type ConnectOptions,
  engineNames,
  type ManagerOptions,
  type WatchOptions,
  type WatchTarget,
} from './types.js'

const isFunction = (value: unknown) => typeof value === 'function'

/** By what is called of it, not by its class: a signal may come from another realm. */
export const signalKind = kind('an AbortSignal', (value) => {
  if (!isObject(value) || typeof value.aborted !== 'boolean') return false
  return isFunction(value.addEventListener) && isFunction(value.removeEventListener)
})

const example = '{ timeoutMs: 5_000 }'
const boolean = kind('true or false', (value) => typeof value === 'boolean')
const duration = numberKind('milliseconds above 0, or Infinity for no limit', (value) => value > 0)
const rate = numberKind('a number a second above 0', (value) => value > 0 && value < Number.POSITIVE_INFINITY)
const lanes = wholeNumber(1, limits.lanesAtMost)
const inFlight = wholeNumber(1, limits.inFlight)

export const connectKinds = {
  signal: signalKind,
  timeoutMs: duration,
  attemptTimeoutMs: duration,
  engine: kind("'blocking', 'nonblocking' or 'auto'", (value) => {
    return value === 'auto' || engineNames.some((name) => name === value)
  }),
  family: kind('4 or 6', (value) => value === 4 || value === 6),
  localAddress: kind('a numeric IPv4 or IPv6 address', (value) => {
    return typeof value === 'string' && endpointOf(value, 0) !== undefined
  }),
  localPort: wholeNumber(0, 65_535),
  blockList: kind('a net.BlockList', (value) => isObject(value) && isFunction(value.check)),
  lookup: kind('a function from a name to numeric addresses', isFunction),
  tls: kind('true, false or an object as tls.connect takes it', (value) => {
    return typeof value === 'boolean' || isObject(value)
  }),
  retry: kind('false or an object such as { tries: 3 }', (value) => value === false || isObject(value)),
  noDelay: boolean,
  keepAlive: boolean,
  allowHalfOpen: boolean,
} satisfies Kinds & Record<keyof ConnectOptions, Kind>

const checkKinds = {
  ...connectKinds,
  close: kind("'reset' or 'fin'", (value) => value === 'reset' || value === 'fin'),
  tryTimeoutMs: duration,
  concurrency: inFlight,
  ratePerSecond: rate,
  perHost: inFlight,
  halfOpen: boolean,
  allAddresses: boolean,
  // What stands in them is read where they are made ready (check/steps.ts).
  steps: kind("an array of steps, such as [{ send: 'PING\\r\\n' }, { expect: 'PONG' }]", Array.isArray),
  minCertificateDays: numberKind('days from 0 up', (value) => value >= 0 && value < Number.POSITIVE_INFINITY),
} satisfies Kinds & Record<keyof CheckOptions, Kind>

const interval = numberKind(`milliseconds from 1 to ${limits.intervalAtMostMs}`, (value) => {
  return value >= 1 && value <= limits.intervalAtMostMs
})
const inARow = wholeNumber(1, limits.riseAtMost)

const { allAddresses, ...eachOnce } = checkKinds

const watchKinds = {
  ...eachOnce,
  intervalMs: interval,
  fastIntervalMs: interval,
  downIntervalMs: interval,
  rise: inARow,
  fall: inARow,
  jitter: numberKind(`a share from 0 to ${limits.jitterAtMost}`, (value) => value >= 0 && value <= limits.jitterAtMost),
  canaries: kind("an array of targets, such as ['10.0.0.1:53']", Array.isArray),
  states: kind("what an earlier watch's health() gave", (value) => isObject(value) || Array.isArray(value)),
} satisfies Kinds & Record<Exclude<keyof WatchOptions, 'allAddresses'>, Kind>

const targetKinds = {
  target: kind('a target such as db.internal:5432', (value) => typeof value === 'string' || isObject(value)),
  labels: kind("an object of strings, such as { job: 'db' }", (value) => {
    return isObject(value) && Object.values(value).every((label) => typeof label === 'string')
  }),
  steps: checkKinds.steps,
  tls: checkKinds.tls,
  timeoutMs: checkKinds.timeoutMs,
  minCertificateDays: checkKinds.minCertificateDays,
} satisfies Kinds & Record<keyof CheckTarget, Kind>

const managerKinds = {
  ...connectKinds,
  lanes,
  maxInFlight: inFlight,
  rate,
  nameCacheMs: numberKind('milliseconds from 0 up', (value) => value >= 0),
  seed: numberKind('a number', Number.isFinite),
} satisfies Kinds & Record<keyof ManagerOptions, Kind>

/**
 * Copies of what a caller gave, read once and checked. Own enumerable properties count, and an unknown name is refused
 * whatever its value.
 * @throws RangeError or TypeError that names the option.
 */
export const settledConnectOptions = (options: ConnectOptions): ConnectOptions => settledOptions(options, connectKinds)

export const settledCheckOptions = <Options extends CheckOptions>(options: Options): Options =>
  settledOptions(options, checkKinds)

export const settledManagerOptions = (options: ManagerOptions): ManagerOptions => settledOptions(options, managerKinds)

export function settledWatchOptions<Options extends WatchOptions>(options: Options): Options {
  if (Object.hasOwn(Object(options), 'allAddresses'))
    throw new TypeError('options has allAddresses: a watched target has one health, so give its addresses as targets')
  return settledOptions(options, watchKinds)
}

/** One target of a check, and what it gives itself. */
export const settledCheckTarget = (given: CheckTarget): CheckTarget => settledTarget(given, targetKinds)

/** The same of a watch. */
export const settledWatchTarget = (given: WatchTarget): WatchTarget =>
  settledTarget(given, { ...targetKinds, intervalMs: interval })

function settledTarget<Given extends CheckTarget>(given: Given, kinds: Kinds): Given {
  const example = "{ target: 'db.internal:5432', labels: { job: 'db' } }"
  const copy = settled('the target', given, kinds, { example, hint: hintFor })
  requireKind('target', copy.target, targetKinds.target)
  if (copy.labels) copy.labels = copyOf('labels', copy.labels)
  if (isObject(copy.tls)) copy.tls = settledTls('tls', copy.tls)
  return copy
}

function settledOptions<Options extends CheckOptions>(options: Options, kinds: Kinds): Options {
  const copy = settled('options', options, kinds, { example, hint: hintFor })
  if (copy.retry) copy.retry = settledRetryPolicy(copy.retry)
  if (isObject(copy.tls)) copy.tls = settledTls('tls', copy.tls)
  refuseHalfOpenTalk(copy)
  refuseTwiceTls(copy)
  return copy
}

/** A copy. What node:tls would find only once it is connected is found here. */
export function settledTls<Given extends object>(where: string, given: Given): Given {
  const copy = copyOf(where, given)
  const protocols = protocolsOf((copy as { ALPNProtocols?: unknown }).ALPNProtocols)
  if ('fault' in protocols) throw new TypeError(`${where}.ALPNProtocols ${protocols.fault}`)
  return copy
}

/** A half-open probe has no connection to speak on. */
export function refuseHalfOpenTalk(options: CheckOptions): void {
  const speaks = options.halfOpen && (['tls', 'steps'] as const).find((name) => options[name])
  if (speaks) throw new TypeError(`halfOpen and ${speaks} exclude each other: give one of them`)
}

/** STARTTLS begins in plain text. */
export function refuseTwiceTls({ tls, steps }: CheckOptions): void {
  if (tls && hasStarttls(steps)) throw new TypeError('tls and a step of starttls exclude each other: give one of them')
}

/** Days that no certificate can have: whoever gives them believes that certificates are looked at. */
export function refuseVainDays({ minCertificateDays, tls, steps }: CheckOptions): void {
  if (minCertificateDays === undefined || speaksTls({ tls, steps })) return
  throw new TypeError(
    `minCertificateDays is ${minCertificateDays}, and nothing speaks TLS: give tls or a step of starttls beside it, or give it with the targets that speak TLS`,
  )
}

/** At once or later. */
export const speaksTls = ({ tls, steps }: Pick<CheckOptions, 'tls' | 'steps'>): boolean =>
  Boolean(tls) || hasStarttls(steps)

const hasStarttls = (steps: CheckOptions['steps']): boolean =>
  steps?.some((step) => isObject(step) && 'starttls' in step) === true

/** Names that people bring from Node, undici, got and others, in lower case, and what is meant here: the first that is taken. */
const foreign: Readonly<Record<string, readonly string[]>> = {
  timeout: ['timeoutMs'],
  timeoutmillis: ['timeoutMs'],
  timeoutmilliseconds: ['timeoutMs'],
  deadline: ['timeoutMs'],
  deadlinems: ['timeoutMs'],
  connecttimeout: ['timeoutMs'],
  connecttimeoutms: ['timeoutMs'],
  connectiontimeout: ['timeoutMs'],
  connectiontimeoutms: ['timeoutMs'],
  connectiontimeoutmillis: ['timeoutMs'],
  handshaketimeout: ['timeoutMs'],
  requesttimeout: ['timeoutMs'],
  sockettimeout: ['timeoutMs'],
  autoselectfamilyattempttimeout: ['attemptTimeoutMs'],
  abort: ['signal'],
  abortsignal: ['signal'],
  abortcontroller: ['signal'],
  canceltoken: ['signal'],
  controller: ['signal'],
  retries: ['retry'],
  maxretries: ['retry'],
  retrylimit: ['retry'],
  attempts: ['retry'],
  tries: ['retry'],
  backoff: ['retry'],
  dnslookup: ['lookup'],
  resolver: ['lookup'],
  dns: ['lookup'],
  bindaddress: ['localAddress'],
  sourceaddress: ['localAddress'],
  localhost: ['localAddress'],
  bindport: ['localPort'],
  sourceport: ['localPort'],
  blacklist: ['blockList'],
  denylist: ['blockList'],
  ssl: ['tls'],
  secure: ['tls'],
  tlsoptions: ['tls'],
  nodelay: ['noDelay'],
  tcpnodelay: ['noDelay'],
  keepaliveinitialdelay: ['keepAlive'],
  concurrency: ['concurrency', 'maxInFlight'],
  parallel: ['concurrency', 'maxInFlight'],
  parallelism: ['concurrency', 'maxInFlight'],
  maxconcurrency: ['concurrency', 'maxInFlight'],
  maxinflight: ['maxInFlight', 'concurrency'],
  maxsockets: ['maxInFlight', 'perHost'],
  connections: ['maxInFlight', 'perHost'],
  maxconnections: ['maxInFlight', 'concurrency'],
  threads: ['lanes'],
  maxthreads: ['lanes'],
  poolsize: ['lanes'],
  rate: ['rate', 'ratePerSecond'],
  ratelimit: ['rate', 'ratePerSecond'],
  ratepersecond: ['ratePerSecond', 'rate'],
  rps: ['rate', 'ratePerSecond'],
}

/** What is no option of ours by any name. */
const instead: readonly [names: readonly string[], hint: string][] = [
  [['host', 'hostname', 'port', 'path', 'socketPath', 'target'], 'the target says it'],
  [['autoSelectFamily', 'happyEyeballs', 'all'], 'leave it out: the addresses of a name are always raced'],
  [
    [
      'ca',
      'cert',
      'key',
      'pfx',
      'passphrase',
      'servername',
      'rejectUnauthorized',
      'ALPNProtocols',
      'minVersion',
    ].concat(['maxVersion', 'ciphers', 'checkServerIdentity', 'session', 'secureContext']),
    'give it in tls, as tls.connect takes it',
  ],
]

/** Node's and its clients' options that look like slips in ours. */
const nodeNames: readonly string[] = ['timeout', 'retry', 'family', 'host', 'port', 'path', 'key', 'cert']

/**
 * For options that a client of Node's takes too: what is neither ours nor the client's by the look of it, as `timeoutMS` is.
 * @throws TypeError that names it and the nearest known one.
 */
export function requireNoSlips(options: object, more: readonly string[]): void {
  const known = [...Object.keys(connectKinds), ...more]
  for (const name of Object.keys(options)) {
    if (known.includes(name) || nodeNames.includes(name)) continue
    const hint = nearestHint(name, known)
    if (hint) throw new TypeError(`options has ${show(name)}: ${hint}`)
  }
}

/** Where an option belongs that is none here. */
const owners: readonly [kinds: Kinds, owner: string][] = [
  [checkKinds, 'check()'],
  [watchKinds, 'watch()'],
  [managerKinds, 'new ConnectionManager()'],
]

export function hintFor(name: string, known: readonly string[]): string | undefined {
  const key = name.toLowerCase()
  const here = Object.hasOwn(foreign, key) ? foreign[key]!.find((each) => known.includes(each)) : undefined
  if (here && here !== name) return `here it is ${here}${here === 'retry' ? ': { tries }' : ''}`
  const near = nearestHint(name, known)
  const owner = owners.find(([kinds]) => Object.hasOwn(kinds, name))?.[1]
  if (owner) return `it is an option of ${owner}`
  return near ?? instead.find(([names]) => names.includes(name))?.[1]
}

export function tlsInOpenError(): TypeError {
  return new TypeError('tls is given to open(), whose descriptor speaks none: use connect(), or leave tls out')
}

/** A string is iterable too, letter by letter, which nobody means. */
export function requireIterable(targets: unknown): void {
  const iterable = typeof targets === 'object' && targets !== null
  if (iterable && (Symbol.iterator in targets || Symbol.asyncIterator in targets)) return
  throw new TypeError(`targets is ${show(targets)}: expected an iterable of targets, such as an array`)
}
