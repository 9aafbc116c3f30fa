/**
 * One family of one full name, asked of the name servers one after the other until one can say. It holds a slot all
 * the while. After a refusal that is due to load it pauses and asks again; if it gave the slot back meanwhile, another
 * question would be refused at once.
 */
import { lackOfDescriptors } from '../bridge/machine.js'
import { settleSoon } from '../bridge/settling.js'
import { clearTimeout, performance, setTimeout } from '../core/clock.js'
import type { Family } from '../core/endpoint.js'
import * as limits from '../core/limits.js'
import type { Turn } from '../core/name-servers.js'
import { backoffMs } from '../core/retry.js'
import { ConnectError } from '../errors/connect-error.js'
import type { Channels } from './channels.js'
import { foundIn, type Records, saysNone } from './records.js'
import type { ServerSet } from './server-set.js'

/** What questions of one look-up share. */
export interface Asker {
  readonly set: ServerSet
  readonly channels: Channels
  /** A question begins to wait for this machine, or for a server that refuses load (true), or goes on (false). */
  waits(on: boolean): void
  /** A question is put to a server (true), or is not any more (false). */
  asks(on: boolean): void
}

/** What one server has said so far. */
interface Said {
  silences: number
  refusals: number
  error?: NodeJS.ErrnoException
  /** Whether to ask it once more, and why. */
  again?: 'silent' | 'load' | undefined
}

export class Question {
  readonly #name: string
  readonly #family: Family
  readonly #asker: Asker
  readonly #said = new Map<string, Said>()
  #cancelled = false
  /** Ends what it waits for: its turn, or a pause. */
  #stopWaiting: (() => void) | undefined

  constructor(name: string, family: Family, asker: Asker) {
    this.#name = name
    this.#family = family
    this.#asker = asker
  }

  /** What waits ends. What is under way ends with its channel, which is the look-up's to cancel. */
  cancel(): void {
    this.#cancelled = true
    this.#stopWaiting?.()
  }

  /** Settles once nothing of it is under way. @throws where a server's address is none. */
  async ask(): Promise<Records> {
    const { set } = this.#asker
    if (!(await this.#waitForSlot())) return cancelled
    try {
      for (;;) {
        const final = await this.#askAll()
        if (final) return final
        const left = [...this.#said.values()].filter(({ again }) => again !== undefined)
        if (left.length === 0) return { error: this.#error() }
        if (left.some(({ again }) => again === 'load'))
          await this.#pause(Math.max(...left.map(({ refusals }) => refusals)))
        if (this.#cancelled) return cancelled
      }
    } finally {
      set.line.give()
    }
  }

  /** One round over the servers that may yet say something. Undefined where none could say. */
  async #askAll(): Promise<Records | undefined> {
    for (const turn of this.#asker.set.servers.order(performance.now())) {
      const said = this.#said.get(turn.server) ?? { silences: 0, refusals: 0, again: 'silent' }
      if (!said.again) continue
      this.#said.set(turn.server, said)
      said.again = undefined
      const final = await this.#askOne(turn, said)
      if (this.#cancelled) return cancelled
      if (final) return final
    }
    return undefined
  }

  /** Undefined where the server could not say: then `said` tells why, and whether to ask it again. */
  async #askOne({ server, onTrial }: Turn, said: Said): Promise<Records | undefined> {
    const { set, channels } = this.#asker
    const timeoutMs = onTrial ? Math.min(limits.serverTrialMs, set.timeoutMs) : set.timeoutMs * 2 ** said.silences
    const channel = channels.to(server, timeoutMs)
    const load = set.loadOf(server)
    const sent = load.send(performance.now())
    this.#asker.asks(true)
    let lack: string | undefined
    try {
      const asked = this.#family === 'inet6' ? channel.resolve6(this.#name, ttls) : channel.resolve4(this.#name, ttls)
      // By now c-ares has a socket, or found that none was to be had. In a moment this could not be told any more.
      lack = lackOfDescriptors()
      const found = foundIn(await asked)
      load.answered(sent, performance.now())
      set.servers.answered(server, performance.now())
      return found
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException
      const now = performance.now()
      if (this.#cancelled || error.code === 'ECANCELLED') return cancelled
      const local = this.#lackBehind(error, lack)
      if (local) return { error: local }
      if (saysNone(error)) load.answered(sent, now)
      if (isSilence(error)) {
        set.servers.silent(server, sent.at, now)
        if (load.dropped(sent)) set.line.cut()
        said.silences += 1
        said.again = !onTrial && said.silences < set.tries ? 'silent' : undefined
      } else set.servers.answered(server, now)
      if (saysNone(error)) return { error }
      if (error.code === 'EREFUSED' || error.code === 'ESERVFAIL') {
        const { again, fewer } = load.refused(sent, error.code, said.refusals)
        if (fewer) set.line.cut()
        said.refusals += 1
        said.again = again ? 'load' : undefined
      }
      said.error = error
      return undefined
    } finally {
      load.ended()
      this.#asker.asks(false)
    }
  }

  /** c-ares says "refused" also where it had no descriptor to ask by: at once, or later, for TCP. */
  #lackBehind(error: NodeJS.ErrnoException, lackBefore: string | undefined): ConnectError | undefined {
    const code = error.code === 'ECONNREFUSED' ? (lackBefore ?? lackOfDescriptors()) : undefined
    if (!code) return undefined
    return new ConnectError({ code, syscall: 'socket', hostname: this.#name, errnoClass: 'local', cause: error })
  }

  /** Of what several servers said, a server's own word goes before silence, and SERVFAIL before other words. */
  #error(): NodeJS.ErrnoException {
    const errors = [...this.#said.values()].flatMap(({ error }) => error ?? [])
    const word = errors.find(({ code }) => code === 'ESERVFAIL') ?? errors.find((error) => !isSilence(error))
    return word ?? errors[0]!
  }

  /** False where it was cancelled before its turn came. */
  async #waitForSlot(): Promise<boolean> {
    if (this.#cancelled) return false
    let waits = false
    const taken = await this.#asker.set.line.take((leave) => {
      waits = true
      this.#stopWaiting = leave
      this.#asker.waits(true)
    })
    this.#stopWaiting = undefined
    if (waits) this.#asker.waits(false)
    if (taken && this.#cancelled) this.#asker.set.line.give()
    return taken && !this.#cancelled
  }

  /** At least half of each step: questions that were refused together must not all come back at once. */
  async #pause(refusals: number): Promise<void> {
    const half = { baseMs: limits.loadBaseMs / 2, capMs: limits.loadCapMs / 2 }
    const waitMs = backoffMs(refusals, half, () => 1) + backoffMs(refusals, half, Math.random)
    this.#asker.waits(true)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#stopWaiting = () => {
        clearTimeout(timer)
        settleSoon(resolve)
      }
    })
    this.#stopWaiting = undefined
    this.#asker.waits(false)
  }
}

const ttls = { ttl: true } as const

/** Nobody reads it: its caller has gone. */
const cancelled: Records = { error: Object.assign(new Error('cancelled'), { code: 'ECANCELLED' }) }

/** Nobody answered, or the host says that no server runs there. */
const isSilence = ({ code }: NodeJS.ErrnoException): boolean => code === 'ETIMEOUT' || code === 'ECONNREFUSED'
