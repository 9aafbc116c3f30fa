/**
 * The c-ares channels of one look-up. Each is set to one server, because a channel that Node makes believes the first
 * server that says anything, a failure included. No other look-up uses them, so that a cancel closes their sockets at
 * once and ends nothing else.
 */
import { promises as dns } from 'node:dns'
import { ownServers } from './server-set.js'

export class Channels {
  readonly #open = new Map<string, dns.Resolver>()

  /** @throws what Node says of text that is no server's address. */
  to(server: string, timeoutMs: number): dns.Resolver {
    const key = `${timeoutMs} ${server}`
    const known = this.#open.get(key)
    if (known) return known
    const channel = new dns.Resolver({ timeout: timeoutMs, tries: 1 })
    if (server !== ownServers) channel.setServers([server])
    this.#open.set(key, channel)
    return channel
  }

  /** Ends every question under way. Their sockets are closed when this returns. */
  cancel(): void {
    for (const channel of this.#open.values()) channel.cancel()
  }
}
