/**
 * One set of name servers: whom to ask, what they have said, and how they fare. When the servers change, a new set takes
 * the place of this one, so that nothing is believed any more that other servers said.
 */
import { performance } from '../core/clock.js'
import { Expiring } from '../core/expiring.js'
import * as limits from '../core/limits.js'
import { NameServers } from '../core/name-servers.js'
import { ServerLoad } from '../core/server-load.js'
import { InFlightWindow } from '../core/window.js'
import { QuestionLine } from './question-line.js'
import { type Records, ttlOf } from './records.js'
import type { ResolvRules } from './resolv-conf.js'

export interface ServerOptions {
  /** `127.0.0.1:5353`, `[::1]:53`: in the place of the servers of /etc/resolv.conf. */
  servers?: string[] | undefined
  /** Of the servers of /etc/resolv.conf. Default 53. */
  serverPort?: number | undefined
  /** The first wait for an answer from a server, doubled with every round. Milliseconds. Default: resolv.conf's, or 2,000. */
  timeoutMs?: number | undefined
  /** Rounds over the servers that do not answer. Default: resolv.conf's, or 3. */
  tries?: number | undefined
  /** The longest time that an answer is kept, "no such name" included; 0 keeps none. Milliseconds. Default 300,000. */
  cacheMs?: number | undefined
}

/** In the place of a server: those that c-ares reads from /etc/resolv.conf by itself. */
export const ownServers = ''

export class ServerSet {
  /** The same for two sets of the same servers. */
  readonly key: string
  readonly timeoutMs: number
  readonly tries: number
  readonly servers: NameServers
  /** Questions under way, A and AAAA each one. */
  readonly line = new QuestionLine(new InFlightWindow(limits.questionsAtMost))
  readonly #cacheMs: number
  readonly #kept = new Expiring<string, Records>(limits.answersAtMost)
  readonly #loads = new Map<string, ServerLoad>()

  constructor(options: ServerOptions, rules: ResolvRules) {
    const servers = serversOf(options, rules)
    this.key = keyOf(servers, rules)
    this.timeoutMs = options.timeoutMs ?? rules.timeoutMs ?? limits.serverTimeoutMs
    this.tries = options.tries ?? rules.tries ?? limits.serverTries
    this.servers = new NameServers(servers, rules.rotate)
    this.#cacheMs = Math.min(options.cacheMs ?? Number.POSITIVE_INFINITY, limits.ttlAtMostMs)
  }

  /** Whether these are the servers that would be asked now, and in the same way. */
  isFor(options: ServerOptions, rules: ResolvRules): boolean {
    return this.key === keyOf(serversOf(options, rules), rules)
  }

  /** How much the server has to do. */
  loadOf(server: string): ServerLoad {
    const load = this.#loads.get(server) ?? new ServerLoad()
    this.#loads.set(server, load)
    return load
  }

  /** What is known of a question that was answered before. */
  kept(question: string): Records | undefined {
    return this.#kept.get(question, performance.now())
  }

  /** Addresses, or the word that there are none, for as long as they say; anything else may be otherwise in a moment. */
  keep(question: string, records: Records): void {
    const ttlMs = Math.min(ttlOf(records), this.#cacheMs)
    if (ttlMs > 0) this.#kept.set(question, records, performance.now() + ttlMs)
  }
}

const keyOf = (servers: readonly string[], { timeoutMs, tries, rotate }: ResolvRules): string =>
  JSON.stringify([servers, timeoutMs, tries, rotate])

/** resolv.conf(5): without any, the server of this machine is asked. */
function serversOf(options: ServerOptions, rules: ResolvRules): readonly string[] {
  if (options.servers) return options.servers
  // Node's setServers drops the zone of a link-local address, and c-ares by itself does not.
  if (rules.servers.some((server) => server.includes('%'))) return [ownServers]
  const servers = rules.servers.length > 0 ? rules.servers.slice(0, limits.serversAtMost) : ['127.0.0.1']
  const port = options.serverPort ?? 53
  return servers.map((server) => (server.includes(':') ? `[${server}]:${port}` : `${server}:${port}`))
}
