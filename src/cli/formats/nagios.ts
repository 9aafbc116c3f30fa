/**
 * One line for Nagios, Icinga and their kin, by the Monitoring Plugins' guidelines: state, what is wrong, performance data; and
 * the exit code that is the state.
 */
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import { nagiosCodes } from '../exit-code.js'
import type { Problem } from '../input.js'
import { clipped, interruptionText } from '../report.js'
import type { Ending, Format, Surroundings } from './format.js'

/** Bytes of the line. NRPE, the narrowest on the way, takes 1,024. */
const lineBytesAtMost = 1_000
const namedAtMost = 10
const targetWidth = 60

type State = keyof typeof nagiosCodes

export class NagiosFormat implements Format {
  readonly #out: Surroundings
  /** The first that are not up, the down ones apart: they are told first. */
  readonly #named = { down: [] as string[], unknown: [] as string[] }
  #expiring = 0
  #invalid = 0
  #unread = 0

  constructor(out: Surroundings) {
    this.#out = out
  }

  result(result: CheckResult): void {
    const { status, code, target } = result
    if (status === 'up') return
    // One that has ended already is no warning, though nobody verified it.
    const hasEnded = (result.certificate?.daysLeft ?? 0) < 0
    if (code === 'ERR_CERT_EXPIRING' && !hasEnded) this.#expiring += 1
    const named = this.#named[status]
    if (named.length < namedAtMost) named.push(shown(`${clipped(printable(target), targetWidth)} ${code ?? status}`))
  }

  problem({ words }: Problem): void {
    this.#invalid += words.length
    if (words.length === 0) this.#unread += 1
  }

  async end(ending: Ending): Promise<void> {
    const { summary, elapsedMs, interruption } = ending
    const { up, down, unknown } = summary.counts
    const { total } = summary
    const said = [
      `${interruption ? 'interrupted: ' : ''}${up} of ${total} up`,
      ...counted(down, 'down'),
      ...counted(unknown, 'unknown'),
      ...counted(
        this.#invalid,
        this.#invalid === 1 ? 'word of the input is no target' : 'words of the input are no targets',
      ),
      ...counted(this.#unread, `part${this.#unread === 1 ? '' : 's'} of the input cannot be read`),
      ...(interruption ? [interruptionText(interruption)] : []),
    ].join(', ')
    const of = (name: string, count: number) => `${name}=${count};;;0;${total}`
    const numbers = [of('up', up), of('down', down), of('unknown', unknown), `time=${seconds(elapsedMs)};;;0`]
    const { latency } = summary
    if (latency) numbers.push(`connect_p50=${seconds(latency.p50)};;;0`, `connect_max=${seconds(latency.max)};;;0`)
    const head = `CANCELPOINT ${this.#state(ending).toUpperCase()} - ${said}`
    const data = ` | ${numbers.join(' ')}`
    const names = [...this.#named.down, ...this.#named.unknown]
    const room = lineBytesAtMost - Buffer.byteLength(head + data)
    await this.#out.write(`${head}${listed(names, down + unknown, room)}${data}\n`)
  }

  exitCode(ending: Ending): number {
    return nagiosCodes[this.#state(ending)]
  }

  /**
   * What is known to be wrong goes before what is not known. A certificate that is about to end, by --cert-min-days, is still
   * valid, and the service works: alone it is a warning.
   */
  #state({ summary: { counts }, interruption }: Ending): State {
    if (counts.down > this.#expiring) return 'critical'
    if (counts.unknown + this.#invalid + this.#unread > 0 || interruption) return 'unknown'
    return this.#expiring > 0 ? 'warning' : 'ok'
  }
}

const counted = (count: number, what: string): string[] => (count > 0 ? [`${count} ${what}`] : [])

/** As many of the names as there is room for, and how many more there are. */
function listed(names: readonly string[], count: number, room: number): string {
  let text = ''
  for (const [index, name] of names.entries()) {
    const longer = `${text}${text === '' ? ': ' : ', '}${name}`
    if (Buffer.byteLength(longer + andMore(count - index - 1)) > room) return text && text + andMore(count - index)
    text = longer
  }
  return text && text + andMore(count - names.length)
}

const andMore = (count: number): string => (count > 0 ? ` and ${count} more` : '')

/** What follows a pipe character is performance data. */
const shown = (text: string): string => printable(text).replaceAll('|', '\\u007c')

const seconds = (ms: number): string => `${(ms / 1000).toFixed(6)}s`
