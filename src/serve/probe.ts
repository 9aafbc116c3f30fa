/**
 * /probe: one probe of a target that the asker names, as blackbox_exporter answers it. It is off unless networks are allowed, and
 * what the kernel would reach must be in them: this must not become a scanner for whoever can send a request.
 */
import type { BlockList } from 'node:net'
import { presetSteps } from '../check/presets/index.js'
import { type PresetName, presetNames } from '../check/presets/names.js'
import { clearTimeout, epochMs, performance, setTimeout } from '../core/clock.js'
import { contentTypes, dialectFor, endOf, familyText } from '../core/exposition.js'
import * as limits from '../core/limits.js'
import { durationMsOf, probeFamilies } from '../core/probe-metrics.js'
import { type ProbeQuery, probeQueryOf, probeTimeoutMs } from '../core/probe-query.js'
import { TokenBucket } from '../core/window.js'
import { ConnectionManager } from '../manager.js'
import type { CheckOptions, CheckResult } from '../types.js'
import { type Asked, answer, begin, refuse, refuseForNow } from './answer.js'
import { Places } from './places.js'

/** As of net.BlockList: whether an address is on the list. */
export interface AddressList {
  check(address: string, type?: 'ipv4' | 'ipv6'): boolean
}

/** `tls` is the handshake, `https` is `http` after it; the others are those of the command. */
const probes = [...presetNames, 'tls', 'https'] as const

export class Prober {
  readonly #manager: ConnectionManager
  readonly #blockList: AddressList | undefined
  readonly #places = new Places(limits.serve.probesAtMost)
  readonly #bucket = new TokenBucket(limits.serve.probesPerSecond)
  readonly #underWay = new Set<AbortController>()

  constructor(manager: ConnectionManager, allowed: AddressList | undefined) {
    this.#manager = manager
    this.#blockList = allowed && allBut(allowed, ConnectionManager.inside(manager)?.given.blockList)
  }

  async answer({ request, response, query, isHead }: Asked): Promise<void> {
    if (!this.#blockList)
      return refuse(response, 404, 'probes are off: say by --probe-allow CIDR which networks may be probed')
    const asked = probeQueryOf(query, probes)
    if (typeof asked === 'string') return refuse(response, 400, asked)
    const { parsed } = asked.target
    if (parsed.kind === 'endpoint' && parsed.endpoint.family === 'unix')
      return refuse(response, 403, 'a path of this machine may not be probed: give a host and a port')
    const timeoutMs = probeTimeoutMs(request.headers['x-prometheus-scrape-timeout-seconds'])
    if (timeoutMs === undefined)
      return refuse(response, 400, 'X-Prometheus-Scrape-Timeout-Seconds is no number of seconds above 0')
    const dialect = dialectFor(request.headers.accept)
    if (isHead) {
      begin(response, 200, contentTypes[dialect])
      response.end()
      return
    }
    if (!this.#places.take()) return refuseForNow(response, 'too many probes are under way')
    try {
      if (this.#bucket.take(performance.now()) > 0) return refuseForNow(response, 'too many probes are asked for')
      request.socket.setTimeout(timeoutMs + limits.serve.silenceMs)
      const result = await this.#run(asked, timeoutMs, response)
      if (!result) return refuseForNow(response, 'this machine did not get to the probe in time')
      if (result.code === 'ERR_BLOCKED')
        return refuse(response, 403, 'that may not be probed: --probe-allow does not name its network')
      const subject = { result, durationMs: durationMsOf(result, epochMs()) }
      const body = probeFamilies.map((family) => familyText(family, subject, dialect)).join('') + endOf(dialect)
      answer(response, 200, contentTypes[dialect], body)
    } finally {
      request.socket.setTimeout(limits.serve.silenceMs)
      this.#places.leave()
    }
  }

  /** Cancels what is under way. */
  end(): void {
    for (const controller of this.#underWay) controller.abort()
  }

  /** Undefined where the client is gone, or this machine was too busy to tell. */
  async #run(asked: ProbeQuery, timeoutMs: number, response: Asked['response']): Promise<CheckResult | undefined> {
    const controller = new AbortController()
    const abort = () => controller.abort()
    const patience = setTimeout(abort, timeoutMs + limits.serve.probePatienceMs)
    response.once('close', abort)
    this.#underWay.add(controller)
    try {
      const { signal } = controller
      const options = { ...whatIsDone(asked.probe), timeoutMs, attemptTimeoutMs: timeoutMs, signal }
      const blockList = this.#blockList as BlockList
      for await (const result of this.#manager.check([asked.target.text], { ...options, blockList, retry: false }))
        return result
      return undefined
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'ABORT_ERR' || code === 'ERR_MANAGER_CLOSED') return undefined
      throw error
    } finally {
      this.#underWay.delete(controller)
      response.off('close', abort)
      clearTimeout(patience)
    }
  }
}

/** A manager's own TLS is not for these. */
function whatIsDone(probe: string | undefined): Pick<CheckOptions, 'tls' | 'steps'> {
  const tls = probe === 'tls' || probe === 'https'
  const preset = probe === 'https' ? 'http' : probe === 'tls' ? undefined : (probe as PresetName | undefined)
  return { tls, steps: presetSteps({ probe: preset }) }
}

/** A block list of what is not allowed, and of what is barred anyway. */
function allBut(allowed: AddressList, barred: AddressList | undefined): AddressList {
  return {
    check(address, type) {
      return !allowed.check(address, type) || (barred?.check(address, type) ?? false)
    },
  }
}
