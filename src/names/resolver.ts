/**
 * Names to addresses, cancellable: the hosts file, then `localhost` (RFC 6761), then DNS through c-ares, whose answers are
 * kept for as long as they say. getaddrinfo serves nothing here, because once started it cannot be cancelled: whoever has
 * names that only NSS knows (mDNS, LDAP) passes a `lookup`.
 */
import { isIP } from 'node:net'

import { settleSoon } from '../bridge/settling.js'
import { Expiring } from '../core/expiring.js'
import { normaliseHostname } from '../core/hostname.js'
import * as limits from '../core/limits.js'
import { abortError, ConnectError, lateAbortError } from '../errors/errors.js'
import { type Answer, DnsQuery, type RecordCache, type ServerOptions } from './dns-query.js'
import { HostsFile } from './hosts-file.js'
import { readable } from './parsed-file.js'
import { ResolvConf } from './resolv-conf.js'
import { Slots } from './slots.js'

export type { Answer } from './dns-query.js'

export interface ResolverOptions extends ServerOptions {
  /** Default /etc/hosts. */
  hostsPath?: string | undefined
  /** For the search list, and for the servers where c-ares could not read its own. Default /etc/resolv.conf. */
  resolvConfPath?: string | undefined
}

/** Callers that ask for one name at one time share a query; it ends with the last of them. */
interface Shared {
  query: DnsQuery
  callers: Set<Caller>
}

interface Caller {
  /** Never throws, and tells nobody who has left. */
  told(answer: Answer): void
  end(error?: Error): void
}

export class Resolver {
  readonly #options: ResolverOptions
  readonly #hosts: HostsFile
  readonly #resolvConf: ResolvConf
  readonly #cache: RecordCache = new Expiring(limits.answersAtMost)
  readonly #slots = new Slots(limits.lookupsAtMost)
  readonly #shared = new Map<string, Shared>()
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
  async resolve(hostname: string, { signal }: { signal: AbortSignal }): Promise<string[]> {
    const answers: Answer[] = []
    await this.query(hostname, { signal }, (answer) => answers.push(answer))
    const ofFirst = (family: string) => answers.filter(({ families }) => families[0] === family)
    const ordered = [...ofFirst('inet6'), ...ofFirst('inet')]
    return [...new Set(ordered.flatMap(({ addresses }) => addresses))]
  }

  /**
   * The same as it becomes known: calls `told` with one answer for both families, or with one for each, whichever comes
   * first; maybe before this returns. Settles after the last.
   * @throws ConnectError of class `name`: ENOTFOUND if there is no such name or it has no address, EAI_AGAIN if no
   *   server could say; of class `local` if this machine could not ask. AbortError if the signal aborts or the resolver is
   *   closed. Nothing was told then, but to those who left. What `told` throws: it is told no more.
   */
  async query(hostname: string, { signal }: { signal: AbortSignal }, told: (answer: Answer) => void): Promise<void> {
    if (signal.aborted) throw abortError(signal.reason)
    if (this.#closed) throw closedError()
    const addresses = readable({ hostname }, () => this.#known(normaliseHostname(hostname)))
    if (addresses.length > 0) told({ families: ['inet6', 'inet'], addresses })
    else await this.#join(hostname, signal, told)
  }

  /** Ends the look-ups under way; later ones are refused. */
  close(): void {
    this.#closed = true
    for (const shared of this.#shared.values()) {
      shared.query.cancel()
      for (const caller of shared.callers) caller.end(closedError())
    }
    this.#shared.clear()
  }

  #known(name: string): readonly string[] {
    if (isIP(name)) return [name]
    const written = this.#hosts.lookup(name)
    if (written.length > 0) return written
    return name === 'localhost' || name.endsWith('.localhost') ? ['::1', '127.0.0.1'] : []
  }

  #join(hostname: string, signal: AbortSignal, told: Caller['told']): Promise<void> {
    const key = hostname.toLowerCase()
    const shared = this.#shared.get(key) ?? this.#begin(key)
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#leave(key, shared, caller)
        settleSoon(() => reject(lateAbortError(signal.reason)))
      }
      const caller: Caller = {
        told: (answer) => {
          if (!shared.callers.has(caller)) return
          try {
            told(own(answer))
          } catch (error) {
            // A block list of its own making, say: the others who share the query have no part in that.
            signal.removeEventListener('abort', leave)
            this.#leave(key, shared, caller)
            reject(error)
          }
        },
        end(error) {
          signal.removeEventListener('abort', leave)
          if (error) reject(error)
          else resolve()
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      shared.callers.add(caller)
      for (const answer of shared.query.answers) caller.told(answer)
    })
  }

  #begin(key: string): Shared {
    const rules = readable({ hostname: key }, () => this.#resolvConf.read())
    const query = new DnsQuery(key, rules, { options: this.#options, cache: this.#cache, slots: this.#slots })
    const callers = new Set<Caller>()
    const shared = { query, callers }
    this.#shared.set(key, shared)
    const end = (error?: Error) => {
      if (this.#shared.get(key) === shared) this.#shared.delete(key)
      for (const caller of callers) caller.end(error && copyOf(error))
    }
    const tell = (answer: Answer) => {
      for (const caller of callers) caller.told(answer)
    }
    query.run(tell).then(() => end(), end)
    return shared
  }

  /** The last one's query is over, its sockets closed, when this returns. */
  #leave(key: string, { query, callers }: Shared, caller: Caller): void {
    callers.delete(caller)
    if (callers.size > 0) return
    query.cancel()
    if (this.#shared.get(key)?.query === query) this.#shared.delete(key)
  }
}

const closedError = () => abortError(new Error('The resolver is closed'))

/** Each caller's errors are its own, to be added to. */
const own = ({ error, ...answer }: Answer): Answer => (error ? { ...answer, error: copyOf(error) } : answer)

function copyOf<T extends Error>(error: T): T | ConnectError {
  if (!(error instanceof ConnectError)) return error
  const { code, syscall, hostname, errnoClass, cause } = error
  return new ConnectError({ code, syscall, hostname, errnoClass, cause })
}
