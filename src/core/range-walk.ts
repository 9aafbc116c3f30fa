/**
 * The targets of one range in an order that spares each network and each host: a turn goes round all /24s of the range and
 * takes one address of each, so neighbours are far apart, and a host has its second port when all others have had their first.
 * Which /24 and which address come first is the seed's matter. Nothing is held but where the walk is.
 */
import { hostOf, withPort } from './expand.js'
import { permutation } from './permutation.js'
import type { PortRange, Range } from './range.js'
import { networkOf } from './shard.js'
import { type ParsedTarget, parseTarget, ReadTarget } from './target.js'

/** Where a round of one /24 begins is another place than where its neighbour's does. Any odd number would do. */
const stagger = 97

export class RangeWalk {
  /** How many targets there are. */
  readonly count: number
  /** Ranges of one place share its turns: the /24 (an IPv6 /64, a name) that the range lies in, or the range itself. */
  readonly place: string
  /** How many /24s it goes through: 1 for a name, and for IPv6, where a range lies in one network of /64. */
  readonly networks: number
  readonly #range: Range
  readonly #scheme: string
  readonly #bytes: Uint8Array
  readonly #blocks: number
  readonly #perBlock: number
  readonly #blockAt: (index: number) => number
  readonly #placeAt: (index: number) => number
  /** Of a range of ports alone: its one host. */
  readonly #host: ParsedTarget | undefined
  #block = 0
  #round = 0
  #ports = 0
  #port: number

  constructor(text: string, range: Range, seed: number) {
    const { addresses, host, ports, count } = range
    this.#range = range
    this.count = count
    this.#scheme = text.startsWith('tcp://') ? 'tcp://' : ''
    this.#port = ports[0]!.first
    this.#blocks = addresses?.blocks ?? 1
    this.#perBlock = addresses?.perBlock ?? 1
    this.#blockAt = permutation(this.#blocks, seed)
    this.#placeAt = permutation(this.#perBlock, ~seed)
    const isIpv6 = host.includes('[')
    this.#bytes = new Uint8Array(isIpv6 ? 16 : 4)
    // A range may have only a part of its first and its last /24.
    this.networks = isIpv6 || !addresses ? 1 : Math.max(1, Math.floor(addresses.count / addresses.perBlock))
    this.#host = addresses ? undefined : parseTarget(`${host}:${this.#port}`)
    this.place = this.networks > 1 ? host : networkOf(this.#host ?? this.#firstHost())
  }

  /** Undefined after the last. */
  next(): ReadTarget | undefined {
    const { addresses, host, ports } = this.#range
    for (let range = ports[this.#ports]; range !== undefined; range = ports[this.#ports]) {
      const port = this.#port
      if (!addresses) {
        this.#nextPort(range)
        return new ReadTarget(`${host}:${port}`, withPort(this.#host!, port))
      }
      const block = this.#blockAt(this.#block)
      const place = this.#placeAt((this.#round + block * stagger) % this.#perBlock)
      this.#step(range)
      if (addresses.write(this.#bytes, block, place)) return this.#target(port)
    }
    return undefined
  }

  #target(port: number): ReadTarget {
    const [host, parsed] = hostOf(this.#bytes, this.#scheme, port)
    return new ReadTarget(`${host}:${port}`, parsed)
  }

  #step(range: PortRange): void {
    this.#block += 1
    if (this.#block < this.#blocks) return
    this.#block = 0
    this.#round += 1
    if (this.#round < this.#perBlock) return
    this.#round = 0
    this.#nextPort(range)
  }

  #nextPort({ last }: PortRange): void {
    if (this.#port < last) this.#port += 1
    else {
      this.#ports += 1
      this.#port = this.#range.ports[this.#ports]?.first ?? 0
    }
  }

  #firstHost(): ParsedTarget {
    // The first block may begin in its middle.
    for (let place = 0; !this.#range.addresses!.write(this.#bytes, 0, place); place += 1);
    return hostOf(this.#bytes, '')[1]
  }
}
