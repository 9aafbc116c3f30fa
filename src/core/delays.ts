/** How late things were of late: a count by length, in two halves of a window, so that what is long ago is forgotten. Pure. */

/** Buckets grow by a fifth: a figure is at most so far from the truth. */
const growth = 1.2
const bucketOf = (ms: number): number => (ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / Math.log(growth)))
const upTo = (bucket: number): number => growth ** bucket
/** A day and more. */
const buckets = bucketOf(100_000_000) + 1

export interface Delays {
  p50: number
  p99: number
  max: number
}

class Half {
  readonly counts = new Uint32Array(buckets)
  total = 0
  max = 0
}

export class DelayWindow {
  readonly #halfMs: number
  #now = new Half()
  #before = new Half()
  #endsAt: number

  /** `windowMs`: what is older counts no longer, by half of it more or less. */
  constructor(windowMs: number, now: number) {
    this.#halfMs = windowMs / 2
    this.#endsAt = now + this.#halfMs
  }

  add(ms: number, now: number): void {
    this.#turn(now)
    const half = this.#now
    const bucket = Math.min(bucketOf(Math.max(0, ms)), buckets - 1)
    half.counts[bucket] = half.counts[bucket]! + 1
    half.total += 1
    half.max = Math.max(half.max, ms)
  }

  /** All 0 where there was nothing. */
  summary(now: number): Delays {
    this.#turn(now)
    const max = Math.max(this.#now.max, this.#before.max)
    const at = (share: number) => Math.min(max, this.#quantile(share))
    return { p50: at(0.5), p99: at(0.99), max }
  }

  #quantile(share: number): number {
    const [a, b] = [this.#now, this.#before]
    let left = Math.ceil((a.total + b.total) * share)
    if (left === 0) return 0
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      left -= a.counts[bucket]! + b.counts[bucket]!
      if (left <= 0) return upTo(bucket)
    }
    return upTo(buckets)
  }

  #turn(now: number): void {
    if (now < this.#endsAt) return
    const isOld = now >= this.#endsAt + this.#halfMs
    this.#before = isOld ? new Half() : this.#now
    this.#now = new Half()
    this.#endsAt = now + this.#halfMs
  }
}
