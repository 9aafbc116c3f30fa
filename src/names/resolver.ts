/**
 * Names to addresses, cancellable: the hosts file, then `localhost` (RFC 6761), then DNS through c-ares. Answers of DNS are
 * kept for as long as they say, until the name servers change. getaddrinfo is not used, because once started it cannot be
 * cancelled: callers who need names that only NSS knows (mDNS, LDAP) pass a `lookup`.
 */
import { isIP } from 'node:net'

import { onAbort } from '../bridge/abort-signal.js'
import { settleSoon } from '../bridge/settling.js'
import { normaliseHostname } from '../core/hostname.js'
import { abortError, lateAbortError } from '../errors/abort-error.js'
import { ConnectError } from '../errors/connect-error.js'
import { DnsQuery } from './dns-query.js'
import { HostsFile } from './hosts-file.js'
import { readable } from './parsed-file.js'
import { type Answer, fewEnough, tooManyError } from './records.js'
import { ResolvConf, type ResolvRules } from './resolv-conf.js'
import { type ServerOptions, ServerSet } from './server-set.js'

export type { Answer } from './records.js'

export interface ResolverOptions extends ServerOptions {
  /** Default /etc/hosts. */
  hostsPath?: string | undefined
  /** For the search list, the servers and how to ask them. Default /etc/resolv.conf. */
  resolvConfPath?: string | undefined
}

export interface QueryOptions {
  signal: AbortSignal
  /** Ask again whether there is such a name: an earlier "no such name" is not believed. For a retry. Default false. */
  fresh?: boolean | undefined
  /**
   * Called with true when the look-up begins to wait for this machine (its turn among many look-ups) or for a name server
   * that refuses load, and with false when that is over: no later than the look-up settles. Must not throw.
   */
  waits?: ((on: boolean) => void) | undefined
}

/** Callers that ask for one name at one time share a query; it ends with the last of them. */
interface Shared {
  readonly key: string
  readonly query: DnsQuery
  readonly callers: Set<Caller>
}

/** One caller. Nothing is told to one that has left; none of these throws. */
interface Caller {
  told(answer: Answer): void
  waits(on: boolean): void
  end(error?: Error): void
}

export class Resolver {
  readonly #options: ResolverOptions
  readonly #hosts: HostsFile
  readonly #resolvConf: ResolvConf
  /** Queries under way, also those that nobody may join any more. */
  readonly #underWay = new Set<Shared>()
  readonly #joinable = new Map<string, Shared>()
  #set: ServerSet | undefined
  #closed = false

  constructor(options: ResolverOptions = {}) {
    this.#options = options
    this.#hosts = new HostsFile(options.hostsPath)
    this.#resolvConf = new ResolvConf(options.resolvConfPath)
  }

  /**
   * Numeric addresses: DNS's AAAA answers before its A answers, the hosts file's in its own order. One family's answer
   * is enough. When it settles, its descriptors are closed and nothing listens on the signal.
   * @throws as `query`.
   */
  async resolve(hostname: string, options: QueryOptions): Promise<string[]> {
    const answers: Answer[] = []
    await this.query(hostname, options, (answer) => answers.push(answer))
    const ofFirst = (family: string) => answers.filter(({ families }) => families[0] === family)
    const ordered = [...ofFirst('inet6'), ...ofFirst('inet')]
    return [...new Set(ordered.flatMap(({ addresses }) => addresses))]
  }

  /**
   * The same as it becomes known: calls `told` with one answer for both families, or with one for each, whichever comes
   * first; maybe before this returns. Settles after the last.
   * @throws ConnectError of class `name`: ENOTFOUND if there is no such name or it has no address, EAI_AGAIN if no
   *   server could say; of class `local` if this machine could not ask. AbortError if the signal aborts or the resolver is
   *   closed. Nothing was told then, except to a caller that left. What `told` throws: the caller is told no more.
   */
  async query(hostname: string, options: QueryOptions, told: (answer: Answer) => void): Promise<void> {
    if (options.signal.aborted) throw abortError(options.signal.reason)
    if (this.#closed) throw closedError()
    const known = readable({ hostname }, () => this.#known(normaliseHostname(hostname)))
    if (known.length > 0) told(knownAnswer(hostname, known))
    else await this.#join(hostname, options, told)
  }

  /** Forgets what name servers have said, and how they fared. Look-ups under way go on; later ones do not join them. */
  flush(): void {
    this.#set = undefined
    this.#joinable.clear()
  }

  /** Ends the look-ups under way; later ones are refused. */
  close(): void {
    this.#closed = true
    for (const { query, callers } of this.#underWay) {
      query.cancel()
      for (const caller of callers) caller.end(closedError())
    }
    this.#underWay.clear()
    this.#joinable.clear()
  }

  #known(name: string): readonly string[] {
    if (isIP(name)) return [name]
    const written = this.#hosts.lookup(name)
    if (written.length > 0) return written
    return name === 'localhost' || name.endsWith('.localhost') ? ['::1', '127.0.0.1'] : []
  }

  #join(hostname: string, { signal, fresh = false, waits }: QueryOptions, told: Caller['told']): Promise<void> {
    const shared = this.#queryFor(hostname.toLowerCase(), fresh)
    return new Promise((resolve, reject) => {
      let waiting = false
      const stop = () => {
        unlisten()
        caller.waits(false)
      }
      const leave = () => {
        stop()
        this.#leave(shared, caller)
        settleSoon(() => reject(lateAbortError(signal.reason)))
      }
      const caller: Caller = {
        told: (answer) => {
          if (!shared.callers.has(caller)) return
          try {
            told(own(answer))
          } catch (error) {
            // What the caller passed in has thrown, its block list say. The others who share the query have no part in it.
            stop()
            this.#leave(shared, caller)
            reject(error)
          }
        },
        waits(on) {
          if (on === waiting) return
          waiting = on
          waits?.(on)
        },
        end(error) {
          stop()
          if (error) reject(error)
          else resolve()
        },
      }
      const unlisten = onAbort(signal, leave)
      shared.callers.add(caller)
      caller.waits(shared.query.waits)
      for (const answer of shared.query.answers) caller.told(answer)
    })
  }

  /** One that is under way and asks the same servers, or a new one. */
  #queryFor(hostname: string, fresh: boolean): Shared {
    const rules = readable({ hostname }, () => this.#resolvConf.read())
    const set = this.#setFor(rules)
    const key = `${fresh ? 'fresh ' : ''}${hostname}`
    const known = this.#joinable.get(key)
    if (known?.query.set === set) return known
    return this.#begin(key, new DnsQuery(hostname, rules, set, fresh))
  }

  /** What other servers said is dropped with them. */
  #setFor(rules: ResolvRules): ServerSet {
    if (!this.#set?.isFor(this.#options, rules)) this.#set = new ServerSet(this.#options, rules)
    return this.#set
  }

  #begin(key: string, query: DnsQuery): Shared {
    const callers = new Set<Caller>()
    const shared = { key, query, callers }
    this.#underWay.add(shared)
    this.#joinable.set(key, shared)
    const end = (error?: Error) => {
      this.#forget(shared)
      for (const caller of callers) caller.end(error && copyOf(error))
    }
    const listener = {
      told(answer: Answer) {
        for (const caller of callers) caller.told(answer)
      },
      waits(on: boolean) {
        for (const caller of callers) caller.waits(on)
      },
    }
    query.run(listener).then(() => end(), end)
    return shared
  }

  /** When the last caller has left, the query is over and its sockets are closed when this returns. */
  #leave(shared: Shared, caller: Caller): void {
    shared.callers.delete(caller)
    if (shared.callers.size > 0) return
    shared.query.cancel()
    this.#forget(shared)
  }

  #forget(shared: Shared): void {
    this.#underWay.delete(shared)
    if (this.#joinable.get(shared.key) === shared) this.#joinable.delete(shared.key)
  }
}

function knownAnswer(hostname: string, known: readonly string[]): Answer {
  const { few, leftOut } = fewEnough(known, (address) => address.includes(':'))
  const error = tooManyError(hostname, leftOut)
  return { families: ['inet6', 'inet'], addresses: few, ...(error && { error }) }
}

const closedError = () => abortError(new Error('The resolver is closed'))

/** Each caller's errors are its own, to be added to. */
const own = ({ error, ...answer }: Answer): Answer => (error ? { ...answer, error: copyOf(error) } : answer)

function copyOf<T extends Error>(error: T): T | ConnectError {
  return error instanceof ConnectError ? error.forCall([], []) : error
}
