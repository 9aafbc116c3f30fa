/**
 * One name asked of DNS: AAAA and A together, over the search list where the name has no answer by itself. It has a c-ares
 * channel of its own, so that its cancel ends no other's queries and closes its sockets at once.
 */
import { promises as dns } from 'node:dns'
import { lackOfDescriptors } from '../bridge/machine.js'
import type { Family } from '../core/endpoint.js'
import type { Expiring } from '../core/expiring.js'
import * as limits from '../core/limits.js'
import { ConnectError, unresolvedError } from '../errors/errors.js'
import { candidatesOf, type ResolvRules } from './resolv-conf.js'
import type { Slots } from './slots.js'

/** What is known of some families of a name. `error`: why that is less than it might be. */
export interface Answer {
  families: readonly Family[]
  /** Numeric, in order of preference. */
  addresses: readonly string[]
  error?: ConnectError
}

export interface ServerOptions {
  /** `127.0.0.1:5353`, `[::1]:53`: in the place of the servers of /etc/resolv.conf. */
  servers?: string[] | undefined
  /** The first wait for an answer from a server, doubled with every try. Milliseconds, c-ares's own by default. */
  timeoutMs?: number | undefined
  /** Rounds over the servers. c-ares's own by default. */
  tries?: number | undefined
}

const bothFamilies: readonly Family[] = ['inet6', 'inet']

/** One family's records of a full name, or what was said in their place: a ConnectError where nobody could be asked. */
export type Records = { addresses: readonly string[] } | { error: NodeJS.ErrnoException }
export type RecordCache = Expiring<string, Records>

const hasAddresses = (records: Records | undefined): boolean => records !== undefined && 'addresses' in records

export class DnsQuery {
  /** Told so far, for those who join. */
  readonly answers: Answer[] = []
  readonly #hostname: string
  readonly #rules: ResolvRules
  readonly #options: ServerOptions
  readonly #cache: RecordCache
  readonly #slots: Slots
  #opening: Promise<dns.Resolver | undefined> | undefined
  #holdsSlot = false
  #stop: (() => void) | undefined
  #cancelled = false

  constructor(
    hostname: string,
    rules: ResolvRules,
    shared: { options: ServerOptions; cache: RecordCache; slots: Slots },
  ) {
    this.#hostname = hostname
    this.#rules = rules
    this.#options = shared.options
    this.#cache = shared.cache
    this.#slots = shared.slots
  }

  /** What is open is closed when this returns; nothing is told any more. */
  cancel(): void {
    this.#cancelled = true
    this.#stop?.()
  }

  /**
   * Calls `told`, which must not throw, with each answer as it comes, each family's once; settles after the last.
   * @throws ConnectError where the name has no address, or nobody could say; nothing was told then.
   */
  async run(told: (answer: Answer) => void): Promise<void> {
    const tell = (answer: Answer) => {
      if (this.#cancelled) return
      this.answers.push(answer)
      told(answer)
    }
    try {
      let error: ConnectError | undefined
      for (const name of candidatesOf(this.#hostname, this.#rules)) {
        const records = await this.#ask(name, tell)
        if (this.#cancelled || records.some(hasAddresses)) return
        error = failure(this.#hostname, records)
        // Whoever could not say whether there is such a name must not make another one be taken for it.
        if (error.code !== 'ENOTFOUND') break
      }
      throw error
    } finally {
      if (this.#holdsSlot) this.#slots.give()
    }
  }

  /**
   * Both families of one full name. Told as they come, once it is known that the name has an address at all; at once
   * where both are kept, so that they can be put in order.
   */
  async #ask(name: string, tell: (answer: Answer) => void): Promise<Records[]> {
    const kept = bothFamilies.map((family) => this.#cache.get(keyOf(name, family), performance.now()))
    if (kept.every((records) => records !== undefined)) {
      const addresses = kept.flatMap((records) => ('addresses' in records ? records.addresses : []))
      if (addresses.length > 0) tell({ families: bothFamilies, addresses })
      return kept
    }
    const known = new Map<Family, Records>()
    const untold = new Set<Family>()
    let timer: NodeJS.Timeout | undefined
    const ask = async (family: Family): Promise<Records> => {
      const records = await this.#records(name, family)
      known.set(family, records)
      untold.add(family)
      if (![...known.values()].some(hasAddresses)) return records
      timer ??= setTimeout(() => this.#stop?.(), limits.otherFamilyMs)
      for (const each of untold) tell(answerOf(this.#hostname, each, known.get(each)!))
      untold.clear()
      return records
    }
    try {
      return await Promise.all([ask('inet6'), ask('inet')])
    } finally {
      clearTimeout(timer)
    }
  }

  async #records(name: string, family: Family): Promise<Records> {
    const key = keyOf(name, family)
    const cached = this.#cache.get(key, performance.now())
    if (cached) return cached
    this.#opening ??= this.#open()
    const channel = await this.#opening
    if (!channel || this.#cancelled) return { error: Object.assign(new Error('cancelled'), { code: 'ECANCELLED' }) }
    let records: Records
    let ttlMs = limits.negativeTtlMs
    let lack: string | undefined
    try {
      const asked = family === 'inet6' ? channel.resolve6(name, { ttl: true }) : channel.resolve4(name, { ttl: true })
      // c-ares has a socket by now, or found none to be had, which in a moment nobody could tell any more.
      lack = lackOfDescriptors()
      const found = await asked
      records = { addresses: [...new Set(found.map(({ address }) => address))] }
      ttlMs = Math.min(limits.ttlAtMostMs, ...found.map(({ ttl }) => ttl * 1000))
    } catch (error) {
      records = { error: this.#reasonOf(error as NodeJS.ErrnoException, lack) }
    }
    if (isFinal(records) && ttlMs > 0) this.#cache.set(key, records, performance.now() + ttlMs)
    return records
  }

  /** c-ares says 'refused' of servers whom it had no descriptor to ask by, be it later, for TCP. */
  #reasonOf(error: NodeJS.ErrnoException, lackBefore: string | undefined): NodeJS.ErrnoException {
    const code = error.code === 'ECONNREFUSED' ? (lackBefore ?? lackOfDescriptors()) : undefined
    if (!code) return error
    return new ConnectError({ code, syscall: 'socket', hostname: this.#hostname, errnoClass: 'local', cause: error })
  }

  /** Waits for a slot; undefined if cancelled before there was one. */
  async #open(): Promise<dns.Resolver | undefined> {
    this.#holdsSlot = await this.#slots.take((leave) => {
      this.#stop = leave
    })
    if (!this.#holdsSlot) return undefined
    const { servers, timeoutMs, tries } = this.#options
    const channel = new dns.Resolver({ timeout: timeoutMs ?? -1, ...(tries === undefined ? {} : { tries }) })
    if (servers) channel.setServers(servers)
    // A resolv.conf that c-ares had no descriptor to read is to it as good as none.
    else if (String(channel.getServers()) === serverOfNone && this.#rules.servers.length > 0)
      channel.setServers(this.#rules.servers)
    this.#stop = () => channel.cancel()
    return channel
  }
}

/** Whom c-ares asks where it knows no servers. */
const serverOfNone = '127.0.0.1'

const keyOf = (name: string, family: Family): string => `${family} ${name}`

const noName: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'EBADNAME'])
const noAddress: ReadonlySet<unknown> = new Set([...noName, 'ENODATA'])

/** Addresses, or the word that there are none; anything else may be otherwise in a moment. */
const isFinal = (records: Records): boolean => !('error' in records) || noAddress.has(records.error.code)

function answerOf(hostname: string, family: Family, records: Records): Answer {
  if ('addresses' in records) return { families: [family], addresses: records.addresses }
  if (isFinal(records)) return { families: [family], addresses: [] }
  return { families: [family], addresses: [], error: failure(hostname, [records]) }
}

/** NXDOMAIN, and no data of either family, are final; whatever else was said, or not said, may change. */
function failure(hostname: string, records: readonly Records[]): ConnectError {
  const errors = records.flatMap((each) => ('error' in each ? each.error : []))
  const missing = errors.find(({ code }) => noName.has(code))
  const unknown = errors.find(({ code }) => !noAddress.has(code))
  const told = missing ?? unknown ?? errors[0]
  const syscall = told?.syscall ?? 'queryA'
  if (missing || !unknown) return unresolvedError('ENOTFOUND', syscall, hostname, told)
  return errors.find((error) => error instanceof ConnectError) ?? unresolvedError('EAI_AGAIN', syscall, hostname, told)
}
