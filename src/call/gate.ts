/**
 * The line in front of an engine: carries out what core/window decides. An attempt that enters starts at once if there is
 * room, and waits its turn otherwise. It holds nothing meanwhile, and can leave the line at any time.
 */
import { type Clock, mayLoseTimers, nodesClock } from '../core/clock.js'
import * as limits from '../core/limits.js'
import { Linked, List } from '../core/list.js'
import type { InFlightWindow, TokenBucket } from '../core/window.js'

export interface GateOptions {
  /** Under way at once; none for no limit. */
  window?: InFlightWindow | undefined
  /** Limits starts a second, of all gates that share it; none for no limit. */
  bucket?: TokenBucket | undefined
  /** Under way to one host at once; none for no limit. */
  perHost?: number | undefined
  clock?: Clock | undefined
}

/** A place in the line, or under way. */
export class Place extends Linked {
  readonly #gate: Gate
  /** Where hosts are limited. */
  readonly host: string | undefined
  start: (() => void) | undefined
  state: 'waiting' | 'under-way' | 'ended' = 'waiting'

  constructor(gate: Gate, host: string | undefined, start: () => void) {
    super()
    this.#gate = gate
    this.host = host
    this.start = start
  }

  /** Gives the place back, once. One that still waited leaves the line. */
  end(): void {
    this.#gate.leave(this)
  }
}

export class Gate {
  readonly #window: InFlightWindow | undefined
  readonly #bucket: TokenBucket | undefined
  readonly #perHost: number
  /** Under way, by host. */
  readonly #hosts = new Map<string, number>()
  readonly #line = new List<Place>()
  /** Places whose host has all it may have. They go back into the line as others of that host end. */
  readonly #parked = new Map<string, List<Place>>()
  #parkedCount = 0
  readonly #clock: Clock
  #timer: NodeJS.Timeout | undefined
  #advancing = false

  constructor({ window, bucket, perHost = Number.POSITIVE_INFINITY, clock = nodesClock }: GateOptions) {
    this.#clock = clock
    this.#window = window
    this.#bucket = bucket
    this.#perHost = perHost
  }

  get waiting(): number {
    return this.#line.size + this.#parkedCount
  }

  /** Calls `start` once it may: now, before this returns, or later. Without a host no limit of a host's applies. */
  enter(host: string | undefined, start: () => void): Place {
    const limited = this.#perHost === Number.POSITIVE_INFINITY ? undefined : host
    const place = new Place(this, limited, start)
    this.#line.add(place)
    this.#advance()
    return place
  }

  /** This machine ran out of something: see InFlightWindow.cut. */
  cut(): void {
    this.#window?.cut(this.#clock.now())
  }

  /** For Place.end. */
  leave(place: Place): void {
    const { state, host } = place
    place.state = 'ended'
    place.start = undefined
    if (state === 'ended') return
    if (state === 'under-way') {
      this.#window?.leave()
      this.#leaveHost(host)
    } else if (!this.#line.delete(place)) {
      this.#unpark(host, place)
    }
    // Also for one that was called up and leaves before its turn: nothing else calls up those that are parked behind it.
    if (this.#callUp(host) || state === 'under-way') this.#advance()
    if (this.#timer && this.#line.size === 0) this.#sleep()
  }

  /**
   * Starts from the head of the line whatever may start now. What starts may enter and leave this gate in turn, thousands
   * of times: the loop that is under way sees to that, so that no start is called from within another.
   * @throws what a start threw, its place given back and the others started.
   */
  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    let failure: { error: unknown } | undefined
    for (let place = this.#next(); place; place = this.#next()) {
      try {
        this.#start(place)
      } catch (error) {
        failure ??= { error }
        place.end()
      }
    }
    this.#advancing = false
    if (failure) throw failure.error
  }

  /** Out of the line, its place in the window taken; undefined where none may start now. */
  #next(): Place | undefined {
    for (let place = this.#line.first; place; place = this.#line.first) {
      if (this.#isFull(place.host)) {
        this.#line.delete(place)
        this.#park(place.host!, place)
        continue
      }
      const waitMs = this.#admit(this.#clock.now())
      if (waitMs > 0) {
        this.#wakeIn(waitMs)
        return undefined
      }
      this.#line.delete(place)
      return place
    }
    return undefined
  }

  /** 0, with a place in the window taken, or how long until it is worth asking again. */
  #admit(now: number): number {
    if (this.#window && !this.#window.enter(now)) return this.#window.waitMs(now)
    const waitMs = this.#bucket?.take(now) ?? 0
    if (waitMs > 0) this.#window?.leave()
    return waitMs
  }

  #start(place: Place): void {
    place.state = 'under-way'
    const { host, start } = place
    if (host !== undefined) this.#hosts.set(host, (this.#hosts.get(host) ?? 0) + 1)
    place.start = undefined
    start?.()
  }

  #isFull(host: string | undefined): boolean {
    return host !== undefined && (this.#hosts.get(host) ?? 0) >= this.#perHost
  }

  #leaveHost(host: string | undefined): void {
    if (host === undefined) return
    const left = (this.#hosts.get(host) ?? 1) - 1
    if (left > 0) this.#hosts.set(host, left)
    else this.#hosts.delete(host)
  }

  /** Puts the place that has waited longest for this host back into the line, if the host has room. */
  #callUp(host: string | undefined): boolean {
    const next = host === undefined || this.#isFull(host) ? undefined : this.#parked.get(host)?.first
    if (!next) return false
    this.#unpark(host, next)
    this.#line.add(next)
    return true
  }

  #park(host: string, place: Place): void {
    const parked = this.#parked.get(host) ?? new List()
    parked.add(place)
    this.#parked.set(host, parked)
    this.#parkedCount += 1
  }

  #unpark(host: string | undefined, place: Place): void {
    const parked = host === undefined ? undefined : this.#parked.get(host)
    if (!parked?.delete(place)) return
    this.#parkedCount -= 1
    if (parked.size === 0) this.#parked.delete(place.host!)
  }

  /** Room that comes with an end needs no timer; room that comes with time does. */
  #wakeIn(waitMs: number): void {
    if (waitMs === Number.POSITIVE_INFINITY) return
    if (mayLoseTimers) this.#sleep()
    if (this.#timer) return
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined
        this.#advance()
      },
      Math.min(Math.ceil(waitMs), limits.timerAtMostMs),
    )
  }

  /** The line is empty: no timer may keep the process alive. */
  #sleep(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
