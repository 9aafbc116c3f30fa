/** A bounded memory that forgets: what is too old, and beyond its size what was used longest ago. `now` is passed in. */
export class Expiring<K, V> {
  readonly #atMost: number
  /** In the order of their last use. */
  readonly #entries = new Map<K, { value: V; until: number }>()

  constructor(atMost: number) {
    this.#atMost = atMost
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K, now: number): V | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#entries.delete(key)
    if (entry.until <= now) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: K, value: V, until: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until })
    if (this.#entries.size <= this.#atMost) return
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest!)
  }

  delete(key: K): void {
    this.#entries.delete(key)
  }
}
