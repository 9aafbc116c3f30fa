/** Words to targets, in a fair order: the driver of core/fair-order. It reads no further than the order needs to know. */
import { setTimeout as wait } from 'node:timers/promises'

import { PlannedTarget } from '../../check/planned-target.js'
import { readTargets } from '../../core/expand.js'
import { FairOrder, type Next } from '../../core/fair-order.js'
import { show } from '../../core/invalid-target.js'
import { rangeIn } from '../../core/range.js'
import { RangeWalk } from '../../core/range-walk.js'
import { isInShard, type Shard } from '../../core/shard.js'
import { parseTarget, ReadTarget } from '../../core/target.js'
import { type BadWord, type Entry, type Group, isProblem, type Problem, problemAt } from './entry.js'

/** A target that was read, with what its group gives it. */
export type Readied = ReadTarget | PlannedTarget

export interface OrderOptions {
  /** Ranges take turns, each in an order of this seed. Without one all is in the order written. */
  seed?: number | undefined
  /** Only the targets of this share. */
  shard?: Shard | undefined
  /** Ends it at once, quietly. */
  signal?: AbortSignal | undefined
  /** Told about everything that is no target, and waited for; the rest is read all the same. */
  onProblem?: ((problem: Problem) => void | Promise<void>) | undefined
}

/** A source that is slower is not waited for while there are ranges to go on with, so that a person who types holds up nothing. */
const patienceMs = 250

export type Batches = AsyncGenerator<readonly (Entry | Problem)[], void>

/** Every target of every entry once. */
export async function* inFairOrder(batches: Batches, options: OrderOptions): AsyncGenerator<Readied, void> {
  const order = new FairOrder<Readied>()
  const source = new Source(batches)
  let entry: Entry | undefined
  let word = 0
  let bad: BadWord[] = []
  const wantsWord = () => order.wantsWord && (options.seed !== undefined || order.isEmpty)
  while (!options.signal?.aborted) {
    while (wantsWord() && (entry !== undefined || !source.ended)) {
      if (entry === undefined) {
        if (source.isEmpty && !(await source.pull(order.isEmpty))) break
        const next = source.shift()
        if (next === undefined) continue
        if (isProblem(next)) {
          await options.onProblem?.(next)
          continue
        }
        entry = next
        word = 0
        bad = [...(next.bad ?? [])]
      }
      while (word < entry.words.length && wantsWord()) {
        const fault = addWord(order, entry.words[word++]!, entry.group, options)
        if (fault) bad.push(fault)
      }
      if (word < entry.words.length) break
      if (bad.length > 0) await options.onProblem?.(problemOf(entry, bad))
      entry = undefined
    }
    const target = order.take()
    if (target !== undefined) yield target
    else if (source.ended && entry === undefined) return
  }
}

/** The bad words of one entry are one problem, told by the first of them. */
function problemOf(entry: Entry, bad: readonly BadWord[]): Problem {
  const more = bad.length - 1
  const others = more === 0 ? '' : `; nor ${more === 1 ? 'is 1 more word' : `are ${more} more words`} of this line`
  return problemAt(entry.place(), bad[0]!.message + others, bad)
}

/** What is wrong with the word, if something is. */
function addWord(
  order: FairOrder<Readied>,
  text: string,
  group: Group | undefined,
  { seed, shard }: OrderOptions,
): BadWord | undefined {
  try {
    const range = readableRange(text)
    if (!range) {
      const parsed = parseTarget(text)
      if (!shard || isInShard(parsed, shard)) order.addSingle(inGroup(new ReadTarget(text, parsed), group))
      return undefined
    }
    const walk = new RangeWalk(text, range, seed ?? 0)
    const next = seed === undefined ? asWritten(text) : () => walk.next()
    order.addRange(walk.place, walk.networks, text.length, () => {
      let target = next()
      if (shard) while (target !== undefined && !isInShard(target.parsed, shard)) target = next()
      return target && inGroup(target, group)
    })
    return undefined
  } catch (error) {
    return { text, message: (error as Error).message }
  }
}

function asWritten(text: string): Next<ReadTarget> {
  const targets = readTargets(text)
  return () => targets.next().value || undefined
}

const inGroup = (target: ReadTarget, group: Group | undefined): Readied =>
  group ? new PlannedTarget(target, group.own, group.labels) : target

/** @throws Error that says what is wrong with the word */
function readableRange(text: string) {
  // What was lost in reading could be another file's name.
  if (text.includes('\ufffd')) {
    throw new Error(`${show(text)} is not a target: it is not in UTF-8 (or UTF-16 with a byte order mark)`)
  }
  return rangeIn(text)
}

/** How many targets the entries hold; undefined if that is more than `limit`, or if as many had to be looked at for a share. */
export async function countWords(batches: Batches, limit: number, shard?: Shard): Promise<number | undefined> {
  let count = 0
  let seen = 0
  for await (const batch of batches) {
    for (const entry of batch) {
      if (isProblem(entry)) continue
      for (const text of entry.words) {
        try {
          const range = readableRange(text)
          const walk = range && new RangeWalk(text, range, 0)
          const parsed = walk ? undefined : parseTarget(text)
          seen += walk?.count ?? 1
          if (seen > limit) return undefined
          if (!shard) continue
          if (walk) count += countOf(walk, shard)
          else if (isInShard(parsed!, shard)) count += 1
        } catch {
          // It is told when it is read to be checked.
        }
      }
    }
  }
  return shard ? count : seen
}

function countOf(walk: RangeWalk, shard: Shard): number {
  let count = 0
  for (let target = walk.next(); target !== undefined; target = walk.next()) {
    if (isInShard(target.parsed, shard)) count += 1
  }
  return count
}

/** Batches as they come, an entry at a time. */
class Source {
  readonly #batches: Batches
  #batch: readonly (Entry | Problem)[] = []
  #at = 0
  #pending: Promise<void> | undefined
  #came = false
  /** The batch that is being waited for has been waited for long enough. */
  #slow = false
  #finished = false

  constructor(batches: Batches) {
    this.#batches = batches
  }

  /** Whether there is nothing left, neither here nor to come. */
  get ended(): boolean {
    return this.#finished && this.isEmpty
  }

  get isEmpty(): boolean {
    return this.#at === this.#batch.length
  }

  shift(): Entry | Problem | undefined {
    return this.isEmpty ? undefined : this.#batch[this.#at++]
  }

  /** Whether the next batch is here, or the end. `forAsLongAsItTakes`: there is nothing else to go on with. */
  async pull(forAsLongAsItTakes: boolean): Promise<boolean> {
    if (!this.#pending) {
      this.#pending = this.#next()
      // It may fail while nobody waits.
      this.#pending.catch(() => {})
    }
    if (forAsLongAsItTakes) await this.#pending
    else if (!this.#came && !this.#slow) await this.#waitAWhile()
    if (!this.#came) return false
    this.#came = this.#slow = false
    // A failure is thrown here.
    const pending = this.#pending
    this.#pending = undefined
    await pending
    return true
  }

  async #next(): Promise<void> {
    try {
      const next = await this.#batches.next()
      this.#batch = next.done ? [] : next.value
      this.#at = 0
      this.#finished = next.done === true
    } finally {
      this.#came = true
    }
  }

  async #waitAWhile(): Promise<void> {
    const ending = new AbortController()
    const waited = wait(patienceMs, undefined, { signal: ending.signal }).catch(() => {})
    await Promise.race([this.#pending, waited])
    ending.abort()
    this.#slow = !this.#came
  }
}
