/**
 * Whose turn it is: a list's ranges take turns, so that none of them gets all places while another waits. Ranges of one /24 or
 * one name share its turns, and a range of many /24s has a turn for each. Single targets stay in the order written, and are
 * one more among the ranges. Told word by word, it holds a bounded number of open ranges and one single target.
 */

/** Open ranges, and the characters they were written in, for a word may hold thousands of ports. */
export const rangesAtMost = 1_024
export const charactersAtMost = 1_048_576

/** The next target of a range; undefined after its last. */
export type Next<T> = () => T | undefined

interface Walk<T> {
  next: Next<T>
  characters: number
}

/** One place's ranges, which take its turns one after the other. */
interface Lane<T> {
  place: string
  weight: number
  walks: Walk<T>[]
  turn: number
  /** When its next turn is due, on a clock that each turn of a lane of weight 1 takes a step further. */
  due: number
  /** Of lanes that are due together the one that joined first. */
  joined: number
}

export class FairOrder<T> {
  readonly #lanes = new Map<string, Lane<T>>()
  /** A heap by `due`. */
  readonly #queue: Lane<T>[] = []
  #weights = 0
  #ranges = 0
  #characters = 0
  #single: { target: T } | undefined
  #singleDue = 0
  #now = 0
  #joined = 0

  /** Whether the next word has to be known before the next turn can be said. */
  get wantsWord(): boolean {
    return !this.#single && this.#ranges < rangesAtMost && this.#characters < charactersAtMost
  }

  /** Whether nothing can be taken before there is another word. */
  get isEmpty(): boolean {
    return !this.#single && this.#lanes.size === 0
  }

  /** The next word is one target. Only while a word is wanted. */
  addSingle(target: T): void {
    this.#single = { target }
  }

  /** The next word is a range, with a turn for each of its `networks`. `characters`: how long it is as written. */
  addRange(place: string, networks: number, characters: number, next: Next<T>): void {
    this.#ranges += 1
    this.#characters += characters
    const lane = this.#lanes.get(place)
    if (lane) {
      lane.walks.push({ next, characters })
      return
    }
    const walks = [{ next, characters }]
    const joining = { place, weight: networks, walks, turn: 0, due: this.#now, joined: this.#joined++ }
    this.#lanes.set(place, joining)
    this.#weights += networks
    this.#queue.push(joining)
    this.#rise(this.#queue.length - 1)
  }

  /** The next target; undefined where another word is needed for it. */
  take(): T | undefined {
    for (let lane = this.#queue[0]; lane !== undefined; lane = this.#queue[0]) {
      if (this.#single && this.#singleDue <= lane.due) return this.#takeSingle()
      this.#now = lane.due
      const target = this.#takeOf(lane)
      if (target !== undefined) return target
    }
    return this.#single && this.#takeSingle()
  }

  /** A turn of the single targets comes as often as one of the average range. */
  #takeSingle(): T {
    const { target } = this.#single!
    this.#single = undefined
    this.#now = Math.max(this.#now, this.#singleDue)
    this.#singleDue = this.#now + (this.#weights > 0 ? this.#lanes.size / this.#weights : 0)
    return target
  }

  #takeOf(lane: Lane<T>): T | undefined {
    const { walks } = lane
    const walk = walks[lane.turn]!
    const target = walk.next()
    if (target === undefined) {
      walks.splice(lane.turn, 1)
      this.#ranges -= 1
      this.#characters -= walk.characters
      if (walks.length === 0) this.#leave(lane)
      else lane.turn %= walks.length
      return undefined
    }
    lane.turn = walks.length === 1 ? 0 : (lane.turn + 1) % walks.length
    lane.due += 1 / lane.weight
    this.#sink(0)
    return target
  }

  /** The first of the queue. */
  #leave(lane: Lane<T>): void {
    this.#lanes.delete(lane.place)
    this.#weights -= lane.weight
    const last = this.#queue.pop()!
    if (last === lane) return
    this.#queue[0] = last
    this.#sink(0)
  }

  #rise(index: number): void {
    const queue = this.#queue
    for (let at = index; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!isBefore(queue[at]!, queue[parent]!)) return
      swap(queue, at, parent)
      at = parent
    }
  }

  #sink(index: number): void {
    const queue = this.#queue
    for (let at = index; ; ) {
      let first = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < queue.length; child += 1) {
        if (isBefore(queue[child]!, queue[first]!)) first = child
      }
      if (first === at) return
      swap(queue, at, first)
      at = first
    }
  }
}

const isBefore = (a: { due: number; joined: number }, b: { due: number; joined: number }): boolean =>
  a.due < b.due || (a.due === b.due && a.joined < b.joined)

function swap<T>(list: T[], a: number, b: number): void {
  const held = list[a]!
  list[a] = list[b]!
  list[b] = held
}
