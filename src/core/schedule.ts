/**
 * What is due, and when: a hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7), whose cost does not grow with how
 * much is in it. A slot of the first wheel is a tick; a slot of the next is a whole turn of the one before. What is in it moves
 * down as its turn comes. Pure: `now` and `dueAt` are milliseconds of one monotonic clock.
 */
import { Linked, List } from './list.js'

/** Something that is due once. It is in one schedule at a time. */
export abstract class Due extends Linked {
  dueAt = 0
}

/** Nothing is due later than by so much, and by a part of it. Milliseconds. */
export const tickMs = 4
const bits = 8
const slots = 1 << bits
const mask = slots - 1
const wheels = 3
const farthest = slots ** wheels - slots ** (wheels - 1)

export class Schedule<Item extends Due> {
  readonly #wheels: readonly List<Item>[][] = Array.from({ length: wheels }, () =>
    Array.from({ length: slots }, () => new List<Item>()),
  )
  readonly #ready = new List<Item>()
  /** The tick whose items are ready. */
  #tick: number
  #size = 0

  constructor(now: number) {
    this.#tick = Math.floor(now / tickMs)
  }

  get size(): number {
    return this.#size
  }

  /** Never sooner than `dueAt`. */
  add(item: Item, dueAt: number): void {
    item.dueAt = dueAt
    this.#size += 1
    this.#place(item)
  }

  /** False where it is not in here. */
  delete(item: Item): boolean {
    const { list } = item
    if (!list) return false
    ;(list as List<Linked>).delete(item)
    this.#size -= 1
    return true
  }

  /** The next one that is due, taken out; undefined where nothing is. */
  take(now: number): Item | undefined {
    const tick = Math.floor(now / tickMs)
    while (this.#ready.size === 0 && this.#tick < tick) {
      if (this.#size === 0) this.#tick = tick
      else this.#turn()
    }
    const item = this.#ready.shift()
    if (item) this.#size -= 1
    return item
  }

  /** When `take` is to be asked again, at the latest. Milliseconds from now; undefined where there is nothing. */
  waitMs(now: number): number | undefined {
    if (this.#size === 0) return undefined
    if (this.#ready.size > 0) return 0
    const [first] = this.#wheels as [List<Item>[]]
    // At the end of a turn something may move down from the next wheel.
    const untilTurn = slots - (this.#tick & mask)
    let ticks = 1
    while (ticks < untilTurn && first[(this.#tick + ticks) & mask]!.size === 0) ticks += 1
    return Math.max(0, (this.#tick + ticks) * tickMs - now)
  }

  #turn(): void {
    this.#tick += 1
    for (let wheel = wheels - 1; wheel > 0; wheel -= 1) {
      const ticks = slots ** wheel
      if (this.#tick % ticks === 0) this.#empty(this.#wheels[wheel]![(this.#tick / ticks) & mask]!)
    }
    this.#empty(this.#wheels[0]![this.#tick & mask]!)
  }

  /** Each to where it belongs by now. */
  #empty(slot: List<Item>): void {
    for (let left = slot.size; left > 0; left -= 1) this.#place(slot.shift()!)
  }

  #place(item: Item): void {
    const tick = Math.min(Math.ceil(item.dueAt / tickMs), this.#tick + farthest)
    const ticks = tick - this.#tick
    if (ticks <= 0) {
      this.#ready.add(item)
      return
    }
    let wheel = 0
    while (ticks >= slots ** (wheel + 1)) wheel += 1
    this.#wheels[wheel]![Math.floor(tick / slots ** wheel) & mask]!.add(item)
  }
}
