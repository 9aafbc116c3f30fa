/**
 * Names to addresses, cancellable: the hosts file, then `localhost` (RFC 6761), then DNS through c-ares. A look-up has
 * a c-ares channel of its own, so that its cancel ends no other's queries and closes its sockets at once.
 */
import { promises as dns } from 'node:dns'
import { isIP } from 'node:net'

import { settleSoon } from './attempts.js'
import { abortError, ConnectError, unresolvedError } from './errors.js'
import { HostsFile, normalise } from './hosts-file.js'

export interface ResolverOptions {
  /** `127.0.0.1:5353`, `[::1]:53`: in the place of the servers of /etc/resolv.conf. */
  servers?: string[] | undefined
  /** Default /etc/hosts. */
  hostsPath?: string | undefined
  /** The first wait for an answer from a server, doubled with every try. Milliseconds, c-ares's own by default. */
  timeoutMs?: number | undefined
  /** Rounds over the servers. c-ares's own by default. */
  tries?: number | undefined
}

/** A channel holds a descriptor or two, and sends two datagrams that have to fit into a server's buffer; more wait. */
const lookupsAtMost = 100

/** How long one family's answer waits for the other's: some servers never answer for AAAA. Milliseconds. */
const otherFamilyMs = 1_000

export class Resolver {
  readonly #options: ResolverOptions
  readonly #hosts: HostsFile
  readonly #slots = new Slots(lookupsAtMost)
  readonly #lookups = new Set<Lookup>()
  #closed = false

  constructor(options: ResolverOptions = {}) {
    this.#options = options
    this.#hosts = new HostsFile(options.hostsPath)
  }

  /**
   * Numeric addresses: DNS's AAAA answers before its A answers, the hosts file's in its own order. One family's answer
   * is enough. When it settles, its descriptors are closed and nothing listens on the signal.
   * @throws ConnectError of class `name`: ENOTFOUND if there is no such name or it has no address, EAI_AGAIN if no
   *   server could say. One of class `local` if the hosts file could not be read for a lack on this side. AbortError if
   *   the signal aborts or the resolver is closed.
   */
  async resolve(hostname: string, { signal }: { signal: AbortSignal }): Promise<string[]> {
    if (signal.aborted) throw abortError(signal.reason)
    if (this.#closed) throw closedError()
    const known = this.#known(normalise(hostname))
    if (known.length > 0) return [...known]
    const lookup = new Lookup(hostname, this.#options, this.#slots)
    const cancel = () => lookup.cancel(abortError(signal.reason))
    signal.addEventListener('abort', cancel)
    this.#lookups.add(lookup)
    try {
      return await lookup.run()
    } finally {
      this.#lookups.delete(lookup)
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Ends the look-ups under way; later ones are refused. */
  close(): void {
    this.#closed = true
    for (const lookup of this.#lookups) lookup.cancel(closedError())
  }

  #known(name: string): readonly string[] {
    if (isIP(name)) return [name]
    const written = this.#written(name)
    if (written.length > 0) return written
    return name === 'localhost' || name.endsWith('.localhost') ? ['::1', '127.0.0.1'] : []
  }

  /** What only the hosts file knows does not exist for a name server: one that could not be read must not be passed over. */
  #written(name: string): readonly string[] {
    try {
      return this.#hosts.lookup(name)
    } catch (error) {
      const { code = 'EIO', syscall = 'open' } = error as NodeJS.ErrnoException
      throw new ConnectError({ code, syscall, hostname: name, errnoClass: 'local', cause: error })
    }
  }
}

const closedError = () => abortError(new Error('The resolver is closed'))

/** One name's two queries, from the wait for a slot to the answer. */
class Lookup {
  readonly #hostname: string
  readonly #options: ResolverOptions
  readonly #slots: Slots
  #cancelled: Error | undefined
  #stop: (() => void) | undefined

  constructor(hostname: string, options: ResolverOptions, slots: Slots) {
    this.#hostname = hostname
    this.#options = options
    this.#slots = slots
  }

  cancel(error: Error): void {
    this.#cancelled ??= error
    this.#stop?.()
  }

  async run(): Promise<string[]> {
    const taken = await this.#slots.take((leave) => {
      this.#stop = leave
    })
    try {
      if (this.#cancelled) throw this.#cancelled
      return await this.#query()
    } finally {
      if (taken) this.#slots.give()
    }
  }

  async #query(): Promise<string[]> {
    const { servers, timeoutMs, tries } = this.#options
    const channel = new dns.Resolver({ timeout: timeoutMs ?? -1, ...(tries === undefined ? {} : { tries }) })
    if (servers) channel.setServers(servers)
    this.#stop = () => channel.cancel()
    let timer: NodeJS.Timeout | undefined
    const answered = (addresses: string[]) => {
      timer ??= setTimeout(() => channel.cancel(), otherFamilyMs)
      return addresses
    }
    const results = await Promise.allSettled([
      channel.resolve6(this.#hostname).then(answered),
      channel.resolve4(this.#hostname).then(answered),
    ])
    clearTimeout(timer)
    if (this.#cancelled) throw this.#cancelled
    const addresses = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    if (addresses.length === 0) throw failure(this.#hostname, results)
    return [...new Set(addresses)]
  }
}

/** NXDOMAIN, and no data of either family, are final; whatever else was said, or not said, may change. */
function failure(hostname: string, results: PromiseSettledResult<string[]>[]): ConnectError {
  const errors: NodeJS.ErrnoException[] = results.flatMap((result) =>
    result.status === 'rejected' ? result.reason : [],
  )
  const missing = errors.find(({ code }) => code === 'ENOTFOUND' || code === 'EBADNAME')
  const unknown = errors.find(({ code }) => code !== 'ENODATA')
  const [code, told] = missing || !unknown ? ['ENOTFOUND', missing ?? errors[0]] : ['EAI_AGAIN', unknown]
  return unresolvedError(
    code as string,
    (told as NodeJS.ErrnoException | undefined)?.syscall ?? 'queryA',
    hostname,
    told,
  )
}

/** So many at a time; the others wait in line. */
class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(free: number) {
    this.#free = free
  }

  /** True once a slot is taken, false for a caller that left the line by calling what `onWait` was given. */
  take(onWait: (leave: () => void) => void): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const enter = () => resolve(true)
      this.#waiting.add(enter)
      onWait(() => {
        if (this.#waiting.delete(enter)) settleSoon(() => resolve(false))
      })
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
