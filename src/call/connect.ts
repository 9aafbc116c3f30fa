/**
 * The main path of one connect: target, addresses, the race of their attempts, descriptor. Each step that holds something
 * lets go of it before the call's promise settles.
 */
import type { AttemptRequest, Claim, Outcome } from '../bridge/registry.js'
import { performance } from '../core/clock.js'
import { type Endpoint, formatEndpoint, hostOf, type InetEndpoint } from '../core/endpoint.js'
import { normaliseHostname } from '../core/hostname.js'
import * as limits from '../core/limits.js'
import type { NamedTarget, NumericTarget } from '../core/target.js'
import type { Verdict } from '../core/verdict.js'
import { ConnectError } from '../errors/connect-error.js'
import { byPreference } from '../names/sources.js'
import { addressesOf, askFor, familiesOf, withZone } from './addresses.js'
import { refuseBlocked } from './block-list.js'
import type { Call } from './call.js'
import { race } from './racing.js'
import { refuseFamily, requestFor } from './request.js'
import { SupervisedAttempt } from './supervised-attempt.js'
import { combine, errorOf, recordOf, verdictOf } from './verdict.js'

interface Connected {
  /** Absent for a probe. */
  claim?: Claim | undefined
  endpoint: Endpoint
}

/** What a call that is no probe has come to: its descriptor, and the endpoint that took it. */
export interface Established extends Connected {
  claim: Claim
}

/**
 * Connects to the first address that takes it. The caller of this owns the claim.
 * @throws ConnectError with every attempt; the cancellation's error once everything is released.
 */
export function establish(call: Call): Promise<Established> {
  return firstToConnect(call, false) as Promise<Established>
}

/** The same by a probe, which closes what it has connected: the endpoint that took it. */
export async function probe(call: Call): Promise<Endpoint> {
  return (await firstToConnect(call, true)).endpoint
}

function firstToConnect(call: Call, asProbe: boolean): Promise<Connected> {
  const { target, settings } = call
  if (target.kind === 'endpoint') return connectTo(target, call, asProbe)
  return settings.firstAddressOnly ? connectToFirst(target, call, asProbe) : raceFor(target, call, asProbe)
}

/** Of a name's addresses the one that comes first, which races against nobody. */
async function connectToFirst({ hostname }: NamedTarget, call: Call, asProbe: boolean): Promise<Connected> {
  const { observer, cancellation, settings } = call
  const addresses = await addressesOf(call).catch((error) => {
    if (!cancellation.requested) observer?.notFound(error)
    throw error
  })
  const [first] = settings.lookup ? addresses : byPreference(addresses as InetEndpoint[])
  if (!first) throw combine([], call)
  return connectTo({ kind: 'endpoint', endpoint: first, hostname }, call, asProbe)
}

/** One endpoint, which races against nobody. */
function connectTo(target: NumericTarget, call: Call, asProbe: boolean): Promise<Connected> {
  return new Promise((resolve, reject) => {
    const { cancellation, settings, deadline } = call
    cancellation.throwIfRequested()
    const endpoint = withZone(target)
    const refused = refuseBlocked(endpoint, settings) ?? refuseFamily(endpoint, settings)
    if (refused) throw combine([refused], call)
    // A full backlog of AF_UNIX is waited for on a lane, which may have to be started first.
    if (endpoint.family === 'unix') deadline.arm()
    const attempt = new CallAttempt(endpoint, call, asProbe, (outcome) => {
      cancellation.leave(attempt)
      if (outcome.state === 'connected' && !cancellation.requested) {
        call.connected(endpoint, outcome.durationMs)
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
  const { cancellation, settings } = call
  const { lastGood } = call.means
  cancellation.throwIfRequested()
  const errors: ConnectError[] = []
  // Addresses that the fixed source rules out are not told, unless there are no others.
  const ruledOut: ConnectError[] = []
  const key = `${normaliseHostname(target.hostname)}:${target.port}`
  const winner = await race(
    {
      lastGood: lastGood.get(key, performance.now()),
      // A caller's own lookup has said the order.
      order: settings.lookup ? undefined : byPreference,
      families: familiesOf(settings),
      attemptDelayMs: settings.attemptDelayMs,
      names: (told, signal) =>
        askFor(target, call, signal, (families, endpoints, error) => {
          if (error) errors.push(error)
          told(families, endpoints.filter(isWanted))
        }).catch((error) => {
          if (!signal.aborted) call.observer?.notFound(error)
          throw error
        }),
      bar: (endpoint) => refuseBlocked(endpoint, settings),
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
    const foreign = refuseFamily(endpoint, settings)
    if (foreign) ruledOut.push(foreign)
    const blocked = foreign ? undefined : refuseBlocked(endpoint, settings)
    if (blocked) errors.push(blocked)
    return !foreign && !blocked
  }
  if (!winner) throw combine(errors.length > 0 ? errors : ruledOut, call)
  const { endpoint, outcome, passedOthers } = winner
  // An address that was found by passing over others is worth remembering. The order of those that come first is the name's own.
  if (passedOthers) lastGood.set(key, formatEndpoint(endpoint), performance.now() + limits.lastGoodMs)
  call.connected(endpoint, outcome.durationMs)
  return { claim: outcome.claim, endpoint }
}

/** One connect(2) of a call, repeated while this machine is what fails. */
class CallAttempt extends SupervisedAttempt {
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
    super(call.means.engine, call.means.supervision, call.patience, call.startsAttempt(endpoint))
    this.#endpoint = endpoint
    this.#call = call
    this.#asProbe = asProbe
    this.#done = done
    this.#started = started
  }

  get endpoint(): string {
    return formatEndpoint(this.#endpoint)
  }

  protected get host(): string {
    return hostOf(this.#endpoint)
  }

  protected request(): AttemptRequest {
    return requestFor(this.#endpoint, this.#call.settings, this.#asProbe)
  }

  protected judge(outcome: Outcome): Verdict | undefined {
    const verdict = verdictOf(outcome, this.#endpoint, this.#call.settings)
    this.#call.endsAttempt(recordOf(outcome, verdict, this.endpoint, this.engine))
    if (verdict && this.#call.observer) {
      this.#call.observer.failed(this.#endpoint, errorOf(outcome, this.#endpoint, this.#call))
    }
    return verdict
  }

  protected override waits(): void {
    this.#call.deadline.arm()
  }

  protected override started(): void {
    this.#call.observer?.starts(this.#endpoint)
    this.#started?.()
  }

  protected done(outcome: Outcome): void {
    this.#done(outcome)
  }
}
