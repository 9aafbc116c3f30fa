/**
 * How often each of very many texts was seen. A text is held as 64 bits of its hash: a million of them take 25 MB, and two of a
 * million are taken for one in one of thirty million cases. The hash begins with a secret, so nobody can write two such texts.
 */
import { mixed } from './hash.js'

const firstSize = 1_024

export class Tally {
  readonly #secret: number
  /** Two numbers a slot. */
  #keys = new Uint32Array(2 * firstSize)
  /** Of each slot one more than what is left, for a slot whose texts were all taken is in use still. */
  #counts = new Uint32Array(firstSize)
  #used = 0
  #left = 0

  /** `secret`: 32 random bits. */
  constructor(secret: number) {
    this.#secret = secret
  }

  /** How many were added and not taken. */
  get left(): number {
    return this.#left
  }

  add(text: string): void {
    if (2 * this.#used >= this.#counts.length) this.#grow()
    const slot = this.#slotOf(text)
    if (this.#counts[slot] === 0) {
      this.#counts[slot] = 1
      this.#used += 1
    }
    this.#counts[slot]! += 1
    this.#left += 1
  }

  /** Takes one away; false where there is none. */
  take(text: string): boolean {
    const slot = this.#slotOf(text)
    if (this.#counts[slot]! <= 1) return false
    this.#counts[slot]! -= 1
    this.#left -= 1
    return true
  }

  #slotOf(text: string): number {
    let high = this.#secret
    let low = ~this.#secret
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      high = Math.imul(high ^ code, 0x01000193)
      low = Math.imul(low ^ code, 0x5bd1e995)
      low ^= low >>> 15
    }
    return this.#find(mixed(high ^ text.length), mixed(low))
  }

  /** The slot that has it, or the free one that it belongs into. */
  #find(high: number, low: number): number {
    const mask = this.#counts.length - 1
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const free = this.#counts[slot] === 0
      if (free) {
        this.#keys[2 * slot] = high
        this.#keys[2 * slot + 1] = low
      }
      if (free || (this.#keys[2 * slot] === high && this.#keys[2 * slot + 1] === low)) return slot
    }
  }

  #grow(): void {
    const [keys, counts] = [this.#keys, this.#counts]
    this.#keys = new Uint32Array(2 * keys.length)
    this.#counts = new Uint32Array(2 * counts.length)
    for (let slot = 0; slot < counts.length; slot += 1) {
      if (counts[slot]! > 0) this.#counts[this.#find(keys[2 * slot]!, keys[2 * slot + 1]!)] = counts[slot]!
    }
  }
}
