/**
 * In which order to ask several name servers. One that does not answer costs seconds, so it is remembered and asked last;
 * now and then one question tries it again. Pure: `now` is in milliseconds of one monotonic clock.
 */
import * as limits from './limits.js'

/** A server to ask. `onTrial`: it did not answer lately, so wait for it only briefly. */
export interface Turn {
  readonly server: string
  readonly onTrial: boolean
}

interface Health {
  answeredAt: number
  /** When it may be tried again; undefined for a server that answers. */
  downUntil: number | undefined
}

export class NameServers {
  readonly #servers: readonly string[]
  readonly #rotate: boolean
  readonly #health: ReadonlyMap<string, Health>
  #first = 0

  /** In the order of preference. `rotate`: each question starts with the next one, to spread the load. */
  constructor(servers: readonly string[], rotate = false) {
    this.#servers = servers
    this.#rotate = rotate
    this.#health = new Map(
      servers.map((server) => [server, { answeredAt: Number.NEGATIVE_INFINITY, downUntil: undefined }]),
    )
  }

  /** Whom a question asks, one after the other. */
  order(now: number): readonly Turn[] {
    const servers = this.#rotated()
    const lastWell = servers.findLastIndex((server) => !this.#isDown(server))
    // Where none answers, none is on trial: each gets its full time.
    if (lastWell < 0) return servers.map((server) => ({ server, onTrial: false }))
    const turns: Turn[] = []
    const last: Turn[] = []
    servers.forEach((server, index) => {
      const health = this.#health.get(server)!
      if (health.downUntil === undefined) turns.push({ server, onTrial: false })
      else if (index < lastWell && now >= health.downUntil) {
        // One question is enough to try it.
        health.downUntil = now + limits.serverDownMs
        turns.push({ server, onTrial: true })
      } else last.push({ server, onTrial: true })
    })
    return [...turns, ...last]
  }

  /** It said something, be it that it cannot tell. */
  answered(server: string, now: number): void {
    const health = this.#health.get(server)
    if (health) Object.assign(health, { answeredAt: now, downUntil: undefined })
  }

  /** It did not answer what was asked at `askedAt`. If it answered another question since, then it is up. */
  silent(server: string, askedAt: number, now: number): void {
    const health = this.#health.get(server)
    if (health && health.answeredAt < askedAt) health.downUntil = now + limits.serverDownMs
  }

  #isDown(server: string): boolean {
    return this.#health.get(server)!.downUntil !== undefined
  }

  #rotated(): readonly string[] {
    if (!this.#rotate) return this.#servers
    const at = this.#first
    this.#first = (at + 1) % this.#servers.length
    return [...this.#servers.slice(at), ...this.#servers.slice(0, at)]
  }
}
