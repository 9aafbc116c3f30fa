/**
 * One name asked of DNS: AAAA and A together, over the search list where the name has no answer by itself.
 */
import { clearTimeout, setTimeout } from '../core/clock.js'
import type { Family } from '../core/endpoint.js'
import * as limits from '../core/limits.js'
import { type Finding, Search } from '../core/search.js'
import type { ConnectError } from '../errors/connect-error.js'
import { Channels } from './channels.js'
import { Question } from './question.js'
import { type Answer, answerOf, failureOf, hasAddresses, type Records, saysNone } from './records.js'
import { asWritten, candidatesOf, type ResolvRules } from './resolv-conf.js'
import type { ServerSet } from './server-set.js'

const bothFamilies: readonly Family[] = ['inet6', 'inet']

/** Whom a query tells. Neither may throw. */
export interface Listener {
  /** Each family's answer, once. */
  told(answer: Answer): void
  /** All that is left of the query begins to wait for this machine, or for a server that refuses load; or goes on. */
  waits(on: boolean): void
}

export class DnsQuery {
  /** Told so far, for those who join. */
  readonly answers: Answer[] = []
  readonly set: ServerSet
  readonly #hostname: string
  readonly #rules: ResolvRules
  readonly #fresh: boolean
  readonly #channels = new Channels()
  readonly #questions = new Set<Question>()
  #listener: Listener | undefined
  /** One family has answered: the other has so long from when it is asked. */
  #otherFamily: NodeJS.Timeout | undefined
  #waiting = 0
  #asking = 0
  #waits = false
  #cancelled = false

  /** `fresh`: that there was no such name before is not believed. */
  constructor(hostname: string, rules: ResolvRules, set: ServerSet, fresh: boolean) {
    this.#hostname = hostname
    this.#rules = rules
    this.set = set
    this.#fresh = fresh
  }

  /** Whether it waits for this machine now. */
  get waits(): boolean {
    return this.#waits
  }

  /** What is open is closed when this returns; nothing is told any more. */
  cancel(): void {
    this.#cancelled = true
    this.#stop()
  }

  /**
   * Tells the answers as they come; settles after the last.
   * @throws ConnectError where the name has no address, or nobody could say; nothing was told then.
   */
  async run(listener: Listener): Promise<void> {
    this.#listener = listener
    const search = new Search<ConnectError>(candidatesOf(this.#hostname, this.#rules), asWritten(this.#hostname))
    for (let name = search.candidate; name !== undefined; name = search.candidate) {
      const records = await this.#ask(name)
      if (this.#cancelled || records.some(hasAddresses)) return
      const error = failureOf(this.#hostname, records)
      // A machine that cannot ask learns nothing from the next name either.
      if (error.errnoClass === 'local') throw error
      search.failed(findingOf(error, records), error)
    }
    throw search.error
  }

  #tell(answer: Answer): void {
    if (this.#cancelled) return
    this.answers.push(answer)
    this.#listener!.told(answer)
  }

  /**
   * Both families of one full name. Told as they come, once it is known that the name has an address at all; at once
   * where both are kept, so that they can be put in order.
   */
  async #ask(name: string): Promise<readonly Records[]> {
    const kept = this.#keptOf(name)
    if (kept.every((records) => records !== undefined)) {
      if (kept.some(hasAddresses)) this.#tell(answerOf(this.#hostname, bothFamilies, kept))
      return kept
    }
    const known = new Map<Family, Records>()
    const untold = new Set<Family>()
    const ask = async (family: Family, index: number): Promise<Records> => {
      const records = kept[index] ?? (await this.#question(name, family))
      known.set(family, records)
      untold.add(family)
      if (![...known.values()].some(hasAddresses)) return records
      this.#otherFamily ??= setTimeout(() => this.#otherFamilyIsLate(), limits.otherFamilyMs)
      for (const each of untold) this.#tell(answerOf(this.#hostname, [each], [known.get(each)!]))
      untold.clear()
      return records
    }
    try {
      return await Promise.all(bothFamilies.map(ask))
    } catch (error) {
      this.#stop()
      throw error
    } finally {
      clearTimeout(this.#otherFamily)
      this.#otherFamily = undefined
    }
  }

  #keptOf(name: string): (Records | undefined)[] {
    const kept = bothFamilies.map((family) => this.set.kept(keyOf(name, family)))
    return this.#fresh && !kept.some(hasAddresses) ? [undefined, undefined] : kept
  }

  async #question(name: string, family: Family): Promise<Records> {
    const question = new Question(name, family, {
      set: this.set,
      channels: this.#channels,
      waits: (on) => this.#count(on ? 1 : -1, 0),
      asks: (on) => this.#count(0, on ? 1 : -1),
    })
    this.#questions.add(question)
    try {
      const records = await question.ask()
      this.set.keep(keyOf(name, family), records)
      return records
    } finally {
      this.#questions.delete(question)
    }
  }

  /** While it waits for this machine it is not late: the time begins again as it goes on. */
  #otherFamilyIsLate(): void {
    if (this.#waits) this.#otherFamily?.refresh()
    else this.#stop()
  }

  #stop(): void {
    for (const question of this.#questions) question.cancel()
    this.#channels.cancel()
  }

  /** It waits where one question waits and none is under way. */
  #count(waiting: number, asking: number): void {
    this.#waiting += waiting
    this.#asking += asking
    const waits = this.#waiting > 0 && this.#asking === 0
    if (waits === this.#waits) return
    this.#waits = waits
    if (!waits) this.#otherFamily?.refresh()
    this.#listener?.waits(waits)
  }
}

const keyOf = (name: string, family: Family): string => `${family} ${name}`

function findingOf(error: ConnectError, records: readonly Records[]): Finding {
  if (error.code === 'ENOTFOUND') return 'none'
  const failed = records.filter((each) => 'error' in each && !saysNone(each.error))
  const broken = failed.every((each) => 'error' in each && each.error.code === 'ESERVFAIL')
  return broken ? 'servfail' : 'unsaid'
}
