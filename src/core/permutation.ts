/** Every whole number below a size once, in an order that looks like none: the same for the same seed, and nothing is held. */
import { mixed } from './hash.js'

const rounds = 4

/**
 * A Feistel network over the next power of four, walked on from what is beyond `size`: a bijection whatever its rounds
 * compute. Four steps at most are made for a number, on average fewer than two for most sizes.
 */
export function permutation(size: number, seed: number): (index: number) => number {
  if (size <= 1) return (index) => index
  const bits = Math.ceil(Math.log2(size) / 2)
  const half = 2 ** bits
  const mask = half - 1
  const keys = Array.from({ length: rounds }, (_, round) => mixed(seed ^ Math.imul(round + 1, 0x9e3779b1)))
  return (index) => {
    let value = index
    do {
      let left = Math.floor(value / half)
      let right = value & mask
      for (let round = 0; round < rounds; round += 1) {
        const next = left ^ (mixed(right ^ keys[round]!) & mask)
        left = right
        right = next
      }
      value = left * half + right
    } while (value >= size)
    return value
  }
}
