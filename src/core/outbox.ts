/**
 * Changes that wait to be told, and what of them travels together. What waits is bounded by count and by bytes. Beyond that a change
 * that another of its target follows becomes one with that one, so that the receiver still learns the last state. Where there is
 * none, the oldest change is lost. Both are counted.
 */
export interface OutboxLimits {
  /** Changes of so long travel in one message. Milliseconds. */
  readonly gatherMs: number
  readonly changesAMessage: number
  readonly bytesAMessage: number
  readonly changesAtMost: number
  readonly bytesAtMost: number
}

interface Change {
  readonly from: string
  readonly to: string
  readonly since: number
}

interface Waiting<C> {
  readonly key: string
  change: C
  readonly bytes: number
  readonly at: number
  /** The next change of the same target. */
  next: Waiting<C> | undefined
  /** It has become one with another, or came to nothing by that. */
  isGone: boolean
}

/** In the order they came. Those that are gone leave it when their turn comes. */
class Line<C> {
  #all: Waiting<C>[] = []
  #head = 0

  add(waiting: Waiting<C>): void {
    this.#clean()
    this.#all.push(waiting)
  }

  get first(): Waiting<C> | undefined {
    this.#clean()
    return this.#all[this.#head]
  }

  #clean(): void {
    while (this.#all[this.#head]?.isGone) this.#head += 1
    if (this.#head < 100 || this.#head * 2 < this.#all.length) return
    this.#all = this.#all.slice(this.#head)
    this.#head = 0
  }
}

export interface Batch<C> {
  readonly changes: C[]
  /** Changes that were lost and merged since the last batch was taken. */
  readonly lost: number
  readonly merged: number
}

export class Outbox<C extends Change> {
  readonly #limits: OutboxLimits
  readonly #waiting = new Line<C>()
  /** Those that another of their target follows. */
  readonly #followed = new Line<C>()
  readonly #newest = new Map<string, Waiting<C>>()
  #count = 0
  #bytes = 0
  #lost = 0
  #merged = 0
  #untold = { lost: 0, merged: 0 }

  constructor(limits: OutboxLimits) {
    this.#limits = limits
  }

  /** Changes that wait. */
  get waiting(): number {
    return this.#count
  }

  /** In all. */
  get lost(): number {
    return this.#lost
  }

  /** In all: changes that the receiver does not hear of by themselves, and whose effect it hears of. */
  get merged(): number {
    return this.#merged
  }

  /** `key`: the target's. `bytes`: what the change takes in a message. */
  add(key: string, change: C, bytes: number, now: number): void {
    const added: Waiting<C> = { key, change, bytes, at: now, next: undefined, isGone: false }
    const before = this.#newest.get(key)
    if (before) {
      before.next = added
      this.#followed.add(before)
    }
    this.#newest.set(key, added)
    this.#waiting.add(added)
    this.#count += 1
    this.#bytes += bytes
    while (this.#count > this.#limits.changesAtMost || this.#bytes > this.#limits.bytesAtMost) this.#giveWay()
  }

  /** Changes that were taken, and that nobody can be told any more. */
  lose(count: number): void {
    this.#lost += count
    this.#untold.lost += count
  }

  /** Until there is a message to send; undefined where nothing waits. */
  waitMs(now: number): number | undefined {
    const oldest = this.#waiting.first
    if (!oldest) return undefined
    const { gatherMs, changesAMessage, bytesAMessage } = this.#limits
    const isFull = this.#count >= changesAMessage || this.#bytes >= bytesAMessage
    return isFull ? 0 : Math.max(0, oldest.at + gatherMs - now)
  }

  /** The oldest, as many as one message takes; one at least. Undefined where nothing waits. */
  take(): Batch<C> | undefined {
    const { changesAMessage, bytesAMessage } = this.#limits
    const changes: C[] = []
    let bytes = 0
    for (let oldest = this.#waiting.first; oldest; oldest = this.#waiting.first) {
      const isRoom = changes.length < changesAMessage && bytes + oldest.bytes <= bytesAMessage
      if (changes.length > 0 && !isRoom) break
      changes.push(oldest.change)
      bytes += oldest.bytes
      this.#remove(oldest)
    }
    if (changes.length === 0) return undefined
    const untold = this.#untold
    this.#untold = { lost: 0, merged: 0 }
    return { changes, ...untold }
  }

  /** Drops all that waits, and says how many changes those were. */
  clear(): number {
    const count = this.#count
    for (let oldest = this.#waiting.first; oldest; oldest = this.#waiting.first) this.#remove(oldest)
    this.lose(count)
    return count
  }

  #giveWay(): void {
    const followed = this.#followed.first
    const oldest = this.#waiting.first
    if (followed) this.#unite(followed, followed.next!)
    else if (oldest) {
      this.#remove(oldest)
      this.lose(1)
    }
  }

  #unite(first: Waiting<C>, second: Waiting<C>): void {
    this.#remove(first)
    this.#merge(1)
    second.change = { ...second.change, from: first.change.from, since: first.change.since }
    if (second.change.to !== first.change.from) return
    // It is again as the receiver knows it.
    this.#remove(second)
    this.#merge(1)
  }

  #merge(count: number): void {
    this.#merged += count
    this.#untold.merged += count
  }

  #remove(waiting: Waiting<C>): void {
    waiting.isGone = true
    this.#count -= 1
    this.#bytes -= waiting.bytes
    if (this.#newest.get(waiting.key) === waiting) this.#newest.delete(waiting.key)
  }
}
