/**
 * /events: whoever follows is told a summary once a second, and changes as they come. Nothing runs while nobody follows. Each
 * text is made once for all of them. One who does not read is dropped.
 */
import type { ServerResponse } from 'node:http'
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { begin } from './answer.js'

const bounds = limits.serve

export class Followers {
  readonly #summary: () => object
  /** Each with the moment since which it has taken nothing. */
  readonly #all = new Map<ServerResponse, { stuckSince: number | undefined }>()
  #changes: object[] = []
  /** Changes beyond those that are told one by one. */
  #more = 0
  #summaryTimer: NodeJS.Timeout | undefined
  #changesTimer: NodeJS.Timeout | undefined
  #beatAt = 0

  constructor(summary: () => object) {
    this.#summary = summary
  }

  get size(): number {
    return this.#all.size
  }

  /** False where there are too many. */
  add(response: ServerResponse): boolean {
    if (this.#all.size >= bounds.followersAtMost) return false
    begin(response, 200, 'text/event-stream; charset=utf-8', { 'X-Accel-Buffering': 'no' })
    this.#all.set(response, { stuckSince: undefined })
    response.once('close', () => this.#leave(response))
    response.write(`retry: 3000\n\n${eventOf('summary', this.#summary())}`)
    if (this.#all.size === 1) this.#begin()
    return true
  }

  tell(change: object): void {
    if (this.#all.size === 0) return
    if (this.#changes.length < bounds.changesToldAtMost) this.#changes.push(change)
    else this.#more += 1
    this.#changesTimer ??= setTimeout(() => this.#tellChanges(), bounds.changesEveryMs)
  }

  /** All are dropped. */
  end(): void {
    for (const response of this.#all.keys()) this.#drop(response)
  }

  #begin(): void {
    this.#beatAt = performance.now()
    this.#summaryTimer = setTimeout(() => this.#tellSummary(), bounds.summaryEveryMs)
  }

  #tellSummary(): void {
    const now = performance.now()
    const isBeat = now - this.#beatAt >= bounds.heartbeatEveryMs
    if (isBeat) this.#beatAt = now
    this.#write(`${isBeat ? ': still here\n\n' : ''}${eventOf('summary', this.#summary())}`)
    if (this.#all.size > 0) this.#summaryTimer = setTimeout(() => this.#tellSummary(), bounds.summaryEveryMs)
  }

  #tellChanges(): void {
    this.#changesTimer = undefined
    const text = this.#changes.map((change) => eventOf('change', change)).join('')
    const more = this.#more > 0 ? eventOf('more', { changes: this.#more }) : ''
    this.#changes = []
    this.#more = 0
    this.#write(text + more)
  }

  #write(text: string): void {
    const now = performance.now()
    for (const [response, state] of this.#all) {
      state.stuckSince = response.writableNeedDrain ? (state.stuckSince ?? now) : undefined
      const isStuck = state.stuckSince !== undefined && now - state.stuckSince > bounds.followerStuckMs
      if (isStuck || response.writableLength > bounds.followerBytesAtMost) this.#drop(response)
      else response.write(text)
    }
  }

  #drop(response: ServerResponse): void {
    this.#leave(response)
    response.destroy()
  }

  #leave(response: ServerResponse): void {
    if (!this.#all.delete(response) || this.#all.size > 0) return
    clearTimeout(this.#summaryTimer)
    clearTimeout(this.#changesTimer)
    this.#changesTimer = undefined
    this.#changes = []
    this.#more = 0
  }
}

/** JSON has no line ends, so that it is one line of the stream. */
const eventOf = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
