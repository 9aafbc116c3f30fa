/** One target of a check: it is read, it waits for the check's own limits, and it is probed, at every address if that is asked for. */
import { settleSoon } from '../bridge/settling.js'
import { addressesOf } from '../call/addresses.js'
import { refuseBlocked } from '../call/block-list.js'
import type { Call } from '../call/call.js'
import { refuseFamily } from '../call/request.js'
import { epochMs } from '../core/clock.js'
import { type Endpoint, hostOf } from '../core/endpoint.js'
import { type NamedTarget, type ParsedTarget, ReadTarget } from '../core/target.js'
import { noAddressError } from '../errors/connect-error.js'
import type { CheckResult } from '../types.js'
import type { Spoken } from './conversation.js'
import { PlainProbe } from './plain-probe.js'
import { type Checkable, PlannedTarget, planned } from './planned-target.js'
import { speaks } from './probe.js'
import { failedResult, rounded, unreadableResult, upResult } from './result.js'
import { type CheckRun, runFor } from './run.js'

/** Told once, later: one result, one for each address with `allAddresses`, none where the check was cancelled. */
export type Done = (results: readonly CheckResult[]) => void

export function checkTarget(given: Checkable, run: CheckRun, done: Done): void {
  let read: ReadTarget | PlannedTarget
  let own: CheckRun
  try {
    read = planned(given)
    own = PlannedTarget.is(read) ? runFor(run, read.own) : run
  } catch (error) {
    const result = unreadableResult(given, error)
    settleSoon(() => done([result]))
    return
  }
  if (PlannedTarget.is(read)) checkRead(read.target, own, withLabels(done, read.labels))
  else checkRead(read, own, done)
}

function withLabels(done: Done, labels: CheckResult['labels']): Done {
  return labels ? (results) => done(results.map((result) => ({ ...result, labels }))) : done
}

function checkRead(target: ReadTarget, run: CheckRun, done: Done): void {
  if (!run.gate) {
    probeTarget(target, run, done)
    return
  }
  enterGate(hostOfTarget(target.parsed), run, (leave) => {
    if (!leave) return done([])
    probeTarget(target, run, (results) => {
      leave()
      done(results)
    })
  })
}

/** What limits per host count by, before a name's addresses are known. */
const hostOfTarget = (target: ParsedTarget): string =>
  target.kind === 'name' ? target.hostname : hostOf(target.endpoint)

/** Gives a target's place in the gate back. */
type Leave = () => void

/** Waits for the check's own limits. `enter` is called once, now or later: without `leave` where the check was cancelled. */
function enterGate(host: string | undefined, { gate, cancellation }: CheckRun, enter: (leave?: Leave) => void): void {
  let stop: (() => void) | undefined
  let waits = true
  const place = gate!.enter(host, () => {
    waits = false
    stop?.()
    enter(() => place.end())
  })
  if (!waits) return
  stop = cancellation.onRequest(() => {
    place.end()
    settleSoon(() => enter())
  })
}

function probeTarget(target: ReadTarget, run: CheckRun, done: Done): void {
  const { text, parsed } = target
  const startedAt = epochMs()
  const fail = (error: unknown) => done([failedResult(text, startedAt, error)])
  try {
    const endpoint = plainEndpoint(parsed, run)
    if (endpoint) new PlainProbe(text, endpoint, run, done).begin()
    else if (run.settings.allAddresses && parsed.kind === 'name') probeAddresses(text, parsed, run).then(done, fail)
    else probeByCall(target, run).then(done, fail)
  } catch (error) {
    // A caller's block list may throw anything. The target has its result all the same.
    settleSoon(() => fail(error))
  }
}

/** The endpoint of a target for which one attempt is the whole check. */
function plainEndpoint(target: ParsedTarget, { settings }: CheckRun): Endpoint | undefined {
  if (target.kind !== 'endpoint' || target.zone !== undefined || speaks(settings) || settings.retry) return undefined
  const refused = refuseBlocked(target.endpoint, settings) ?? refuseFamily(target.endpoint, settings)
  return refused ? undefined : target.endpoint
}

/** Names, zones, retries, TLS, steps, refusals: what takes more than one step has a call of its own. */
async function probeByCall({ text, parsed }: ReadTarget, run: CheckRun): Promise<CheckResult[]> {
  const { calls, settings, means, cancellation } = run
  const startedAt = epochMs()
  const probe = run.probe
  const spoken: Spoken = {}
  let call: Call | undefined
  try {
    const endpoint = await calls.probe(parsed, settings, means, (running) => {
      call = running
      return probe(running, spoken)
    })
    return [upResult(text, startedAt, endpoint, call!, spoken)]
  } catch (error) {
    return cancellation.requested ? [] : [failedResult(text, startedAt, error, call, spoken)]
  }
}

/** One result an address, each as if the name had no other; one for the name where it has no address. */
async function probeAddresses(text: string, name: NamedTarget, run: CheckRun): Promise<CheckResult[]> {
  const { calls, settings, means, cancellation } = run
  const startedAt = epochMs()
  let call: Call | undefined
  try {
    const endpoints = await calls.probe(name, settings, means, (running) => {
      call = running
      return addressesOf(running)
    })
    if (endpoints.length === 0) throw noAddressError(name.hostname)
    const { nameMs } = call!.timings
    const results = await Promise.all(
      endpoints.map((endpoint, index) => {
        const target = new ReadTarget(text, { kind: 'endpoint', endpoint, hostname: name.hostname })
        // The first address has the target's own place in the gate.
        return index === 0 ? probed(target, run) : probedInTurn(target, run)
      }),
    )
    return results.flat().map((result) => (nameMs === undefined ? result : { ...result, nameMs: rounded(nameMs) }))
  } catch (error) {
    return cancellation.requested ? [] : [failedResult(text, startedAt, error, call)]
  }
}

const probed = (target: ReadTarget, run: CheckRun): Promise<readonly CheckResult[]> =>
  new Promise((resolve) => probeTarget(target, run, resolve))

async function probedInTurn(target: ReadTarget, run: CheckRun): Promise<readonly CheckResult[]> {
  if (!run.gate) return probed(target, run)
  const leave = await new Promise<Leave | undefined>((resolve) => enterGate(undefined, run, resolve))
  if (!leave) return []
  try {
    return await probed(target, run)
  } finally {
    leave()
  }
}
