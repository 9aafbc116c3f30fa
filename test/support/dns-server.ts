/** A name server for the nasty cases: says whatever its zone tells it to, over UDP on loopback. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export const typeA = 1
export const typeAaaa = 28
export const v4 = (last: number) => [127, 0, 0, last]
export const v6 = (last: number) => [...Array(15).fill(0), last]

/** Addresses; an rcode (2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED); silence. */
export type Reply = number[][] | number | 'silence'
/**
 * By name and type; `*` is any other name, which does not exist otherwise. `afterMs` holds back a type's reply, `ttl` is in
 * seconds and 0 by default.
 */
export type Zone = Record<string, { [type: number]: Reply; ttl?: number; afterMs?: { [type: number]: number } }>

export interface ServerOptions {
  address?: string
  port?: number
  /** Questions that it takes at once, those held back included. To more it says `beyond`. */
  atOnce?: number
  beyond?: Reply
}

export class NameServer implements AsyncDisposable {
  readonly zone: Zone
  /** `name type` of every question. */
  readonly asked: string[] = []
  /** The most that were held back at once, and how many were too many. */
  mostAtOnce = 0
  refused = 0
  readonly options: ServerOptions
  #atOnce = 0
  readonly #socket = createSocket('udp4')

  private constructor(zone: Zone, options: ServerOptions) {
    this.zone = zone
    this.options = options
  }

  static async open(zone: Zone, options: ServerOptions = {}): Promise<NameServer> {
    const server = new NameServer(zone, options)
    const socket = server.#socket
    await once(socket.bind(options.port ?? 0, options.address ?? '127.0.0.1'), 'listening')
    socket.on('message', (query, { port, address }) =>
      server.#answer(query, (reply) => socket.send(reply, port, address)),
    )
    return server
  }

  /** As a Resolver takes them. */
  get servers(): string[] {
    const { address, port } = this.#socket.address()
    return [`${address}:${port}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve))
  }

  /** A header, the question as it came, and a record an address: a pointer to the name, type, class, TTL, data. */
  #answer(query: Buffer, send: (reply: Buffer) => void): void {
    const labels: string[] = []
    let at = 12
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const name = labels.join('.').toLowerCase()
    const type = query.readUInt16BE(at + 1)
    this.asked.push(`${name} ${type === typeA ? 'A' : 'AAAA'}`)
    const { atOnce = Number.POSITIVE_INFINITY, beyond = 5 } = this.options
    const isTooMany = this.#atOnce >= atOnce
    if (isTooMany) this.refused += 1
    const { [type]: told = 3, ttl = 0, afterMs } = this.zone[name] ?? this.zone['*'] ?? {}
    const found = isTooMany ? beyond : told
    if (found === 'silence') return
    const [rcode, records] = typeof found === 'number' ? [found, []] : [0, found]
    const header = Buffer.from([
      query[0]!,
      query[1]!,
      0x81,
      0x80 | rcode,
      0,
      1,
      records.length >> 8,
      records.length & 255,
      0,
      0,
      0,
      0,
    ])
    const bodies = records.map((data) =>
      Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, ttl >> 8, ttl & 255, 0, data.length, ...data]),
    )
    const reply = Buffer.concat([header, query.subarray(12, at + 5), ...bodies])
    const waitMs = isTooMany ? 0 : (afterMs?.[type] ?? 0)
    if (waitMs === 0) {
      send(reply)
      return
    }
    this.#atOnce += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce)
    setTimeout(() => {
      this.#atOnce -= 1
      send(reply)
    }, waitMs)
  }
}
