/** Endpoints that many targets of one check share: a server that counts resets sees them all from one client. */
import { formatEndpoint } from '../core/endpoint.js'
import type { CheckResult } from '../types.js'

/** Fewer connections to one endpoint are not worth a word. Servers that bar a client for resets do so after some tens. */
export const manyConnections = 20

/** Endpoints that are counted at once. Memory does not grow with the number of results. */
export const countersAtMost = 1_000

export interface SharedEndpoint {
  /** As it is written: `1.2.3.4:80`, `[::1]:80`. */
  endpoint: string
  count: number
}

/** Counts connections by endpoint. One that has more than a thousandth of them all is always found, with at least its excess (Misra and Gries, 1982). */
export class SharedEndpoints {
  readonly #counts = new Map<string, number>()

  /** Only a target that is up was connected to, and only TCP is ended by a reset. */
  add({ status, address, port }: CheckResult): void {
    if (status !== 'up' || address === undefined || port === undefined) return
    const endpoint = formatEndpoint({ family: address.includes(':') ? 'inet6' : 'inet', address, port })
    const count = this.#counts.get(endpoint)
    if (count !== undefined) this.#counts.set(endpoint, count + 1)
    else if (this.#counts.size < countersAtMost) this.#counts.set(endpoint, 1)
    else this.#takeOneOfEach()
  }

  /** The endpoint with the most connections, where it has many. */
  get busiest(): SharedEndpoint | undefined {
    let most: SharedEndpoint | undefined
    for (const [endpoint, count] of this.#counts) if (count > (most?.count ?? 0)) most = { endpoint, count }
    return most !== undefined && most.count >= manyConnections ? most : undefined
  }

  /** Every count that this lowers was raised before, so a result costs a few steps at most, taken together. */
  #takeOneOfEach(): void {
    for (const [endpoint, count] of this.#counts) {
      if (count > 1) this.#counts.set(endpoint, count - 1)
      else this.#counts.delete(endpoint)
    }
  }
}
