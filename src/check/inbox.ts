/**
 * What a peer sends, read no faster than a step asks for it, and held no longer than it takes to judge it. A peer may send
 * slowly, endlessly, or nothing: what is held is at most what the step allows, and what Node has read ahead.
 */
import type { Duplex } from 'node:stream'
import type { Cancellation } from '../call/cancellation.js'
import { clearTimeout, performance, setImmediate, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'
import type { Judgement } from './judge.js'
import type { ExpectStep } from './script.js'

/** How waiting for something ended: it came, it cannot come, or the peer ended or filled what may be read. */
export type Came = 'yes' | { refused: string } | 'ended' | 'full'

const nothing = Buffer.alloc(0)
const newline = 10

export class Inbox {
  readonly #stream: Duplex
  readonly #cancellation: Cancellation
  readonly #wakeUp = () => this.#wake?.()
  readonly #fail = (error: Error) => {
    this.#error ??= error
    this.#wake?.()
  }
  readonly #end = () => {
    this.#ended = true
    this.#wake?.()
  }
  #held: Buffer = nothing
  #lastByte: number | undefined
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  #detached = false

  constructor(stream: Duplex, cancellation: Cancellation) {
    this.#stream = stream
    this.#cancellation = cancellation
    // It may have ended before anybody asked it anything.
    this.#error = stream.errored ?? undefined
    this.#ended = stream.destroyed || stream.readableEnded
    stream.on('readable', this.#wakeUp).on('end', this.#end).on('close', this.#end).on('error', this.#fail)
  }

  /** What was read, and covered by no expectation. */
  get held(): Buffer {
    return this.#held
  }

  /** What was expected ended within a line. */
  get isWithinLine(): boolean {
    return this.#lastByte !== undefined && this.#lastByte !== newline
  }

  /** Nothing has come but what was expected. */
  get isEmpty(): boolean {
    return this.#held.length === 0 && this.#stream.readableLength === 0
  }

  /** Reads until the step's expectation is judged, and takes what it covers. @throws the stream's error; the cancellation's. */
  async until({
    judge,
    maxBytes,
    isIncremental,
  }: Pick<ExpectStep, 'judge' | 'maxBytes' | 'isIncremental'>): Promise<Came> {
    let judged = 0
    let looked = 0
    for (;;) {
      this.#pull(maxBytes)
      const { length } = this.#held
      const last = this.#ended || length >= maxBytes
      const isNew = length > judged || judged === 0
      // Paced, so that a peer that sends byte by byte has nobody look at all of it for each.
      if (isNew && !isIncremental && !last && looked + length > limits.lookShare * length + maxBytes) {
        await this.#pause()
        this.#pull(maxBytes)
      }
      const bytes = this.#held.subarray(0, maxBytes)
      const judgement = isNew ? judge(bytes, judged) : undefined
      looked += bytes.length
      judged = bytes.length
      if (judgement && 'skip' in judgement) {
        await this.#skip(judgement.skip)
        judged = looked = 0
        continue
      }
      const came = this.#came(judgement)
      if (came) return came
      if (this.#held.length >= maxBytes) return 'full'
      if (this.#error) throw this.#error
      if (this.#ended) return 'ended'
      if (this.#stream.readableLength === 0) await this.#changed()
    }
  }

  /** Whether the peer says any more, or ends, within so long. What has arrived by then counts, also where this process was late. */
  async says(withinMs: number): Promise<boolean> {
    const hasSaid = () => !this.isEmpty || this.#ended || this.#error !== undefined
    const until = performance.now() + withinMs
    for (;;) {
      this.#stream.read(0)
      const leftMs = until - performance.now()
      if (hasSaid() || leftMs <= 0) break
      await this.#changed(leftMs)
    }
    // The loop reads what has arrived before it comes to this.
    if (!hasSaid()) await new Promise<void>((resolve) => setImmediate(resolve))
    return hasSaid()
  }

  /** Stops reading the stream. An error that it emits from now on is ignored. */
  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.#stream
      .off('readable', this.#wakeUp)
      .off('end', this.#end)
      .off('close', this.#end)
      .off('error', this.#fail)
      .on('error', () => {})
  }

  /** Its error, if it has one: of a write, too. */
  get error(): Error | undefined {
    return this.#error
  }

  /** Drops so many bytes, those that have not come yet as they come: no more of them is held than Node has read ahead. */
  async #skip(count: number): Promise<void> {
    for (let left = count; ; ) {
      const held = Math.min(left, this.#held.length)
      this.#held = this.#held.subarray(held)
      left -= held
      const size = Math.min(left, this.#stream.readableLength)
      if (size > 0) left -= (this.#stream.read(size) as Buffer).length
      else if (left === 0 || this.#error || this.#ended) return
      else {
        this.#stream.read(0)
        if (this.#stream.readableLength === 0) await this.#changed()
      }
    }
  }

  #came(judgement: Exclude<Judgement, { skip: number }>): Came | undefined {
    if (judgement === undefined) return undefined
    if ('refused' in judgement) return judgement
    this.#lastByte = this.#held[judgement.end - 1]
    this.#held = this.#held.subarray(judgement.end)
    return 'yes'
  }

  /** Takes what Node has read, as far as there is room. */
  #pull(maxBytes: number): void {
    const size = Math.min(maxBytes - this.#held.length, this.#stream.readableLength)
    const bytes: Buffer | null = size > 0 ? this.#stream.read(size) : this.#stream.read(0)
    if (bytes) this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
  }

  #changed(withinMs?: number): Promise<void> {
    return this.#waiting((done) => {
      const timer = withinMs === undefined ? undefined : setTimeout(done, withinMs)
      this.#wake = done
      return () => {
        clearTimeout(timer)
        this.#wake = undefined
      }
    })
  }

  #pause(): Promise<void> {
    return this.#waiting((done) => {
      const timer = setTimeout(done, limits.lookMs)
      return () => clearTimeout(timer)
    })
  }

  /** Ends at once where the call is cancelled. */
  #waiting(begin: (done: () => void) => () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let stop: (() => void) | undefined
      const end = begin(() => settle())
      const settle = (cancelled = false) => {
        stop?.()
        end()
        if (cancelled) reject(this.#cancellation.error())
        else resolve()
      }
      stop = this.#cancellation.onRequest(() => settle(true))
    })
  }
}
