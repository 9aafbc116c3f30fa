/** When checks of many targets are due, so that they do not bunch. Pure, and the same again for the same target. */
import { hashOf, mixed } from './hash.js'

const whole = 4_294_967_296

/** When a target's first check is due, of the first interval. From 0 up to `intervalMs`. */
export const firstDelay = (key: string, intervalMs: number): number => (hashOf(key) / whole) * intervalMs

/** The interval before check number `count`, longer or shorter by up to `jitter` of it. */
export function jittered(intervalMs: number, jitter: number, key: number, count: number): number {
  if (jitter === 0) return intervalMs
  const share = mixed(key ^ Math.imul(count, 0x9e3779b1)) / whole
  return intervalMs * (1 + jitter * (2 * share - 1))
}
