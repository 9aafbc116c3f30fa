/**
 * How much may be under way at once, and how fast more may start. Pure: `now` is passed in, in milliseconds of one
 * monotonic clock; src/call/gate.ts carries out what is decided here.
 */
import * as limits from './limits.js'

/**
 * Attempts in flight: additive increase, multiplicative decrease. It starts modest and grows while it is full and the
 * machine keeps up, by doubling until the first cut and by steps after it; a local failure halves it.
 */
export class InFlightWindow {
  readonly ceiling: number
  #size: number
  #inFlight = 0
  #grownAt = Number.NEGATIVE_INFINITY
  #cutAt = Number.NEGATIVE_INFINITY
  #beenCut = false

  constructor(ceiling: number) {
    this.ceiling = Math.max(1, ceiling)
    this.#size = Math.min(limits.windowStart, this.ceiling)
  }

  get size(): number {
    return this.#size
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** One more, if there is room. A full window grows, a step at a time. */
  enter(now: number): boolean {
    if (this.#inFlight >= this.#size) this.#grow(now)
    if (this.#inFlight >= this.#size) return false
    this.#inFlight += 1
    return true
  }

  leave(): void {
    this.#inFlight -= 1
  }

  /** How long until a full window may grow; Infinity once it has its full size. */
  waitMs(now: number): number {
    if (this.#size >= this.ceiling) return Number.POSITIVE_INFINITY
    return Math.max(0, this.#grownAt + limits.windowStepMs - now)
  }

  /** This machine ran out of something. Failures of one moment are one message, so the window is cut once for them. */
  cut(now: number): void {
    if (now - this.#cutAt < limits.windowCutMs) return
    this.#cutAt = this.#grownAt = now
    this.#beenCut = true
    this.#size = Math.max(1, Math.min(this.#size, this.#inFlight) >> 1)
  }

  #grow(now: number): void {
    if (this.waitMs(now) > 0) return
    this.#grownAt = now
    const step = this.#beenCut ? Math.max(1, this.#size >> 4) : this.#size
    this.#size = Math.min(this.ceiling, this.#size + step)
  }
}

/** What the machine allows in flight: descriptors less those in use and a reserve for the rest of the process. */
export function descriptorCeiling(limit: number, inUse: number): number {
  return Math.max(1, limit - inUse - Math.min(limits.descriptorReserve, limit >> 2))
}

/** Starts a second. Tokens gather while nothing starts, up to a tenth of a second's worth, so that a burst stays small. */
export class TokenBucket {
  readonly #perMs: number
  readonly #most: number
  #tokens: number
  #at: number | undefined

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1000
    this.#most = Math.max(1, perSecond / 10)
    this.#tokens = this.#most
  }

  /** Takes a token: 0, or how long until there is one. Milliseconds. */
  take(now: number): number {
    this.#tokens = Math.min(this.#most, this.#tokens + (now - (this.#at ?? now)) * this.#perMs)
    this.#at = now
    // Sums of fractions fall short of a whole by a rounding error; that is no reason to wait.
    if (this.#tokens < 1 - 1e-6) return (1 - this.#tokens) / this.#perMs
    this.#tokens -= 1
    return 0
  }
}
