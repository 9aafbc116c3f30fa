/**
 * A file for the textfile collector of Prometheus's node_exporter, with the names of its blackbox_exporter where it has one. All
 * samples of a metric stand together, so what they need is kept until the end: some hundred bytes and the labels of each target.
 */
import { headOf, linesOf, seconds, seriesOf } from '../../core/exposition.js'
import { type Probed, type ProbeSubject, resultFamilies } from '../../core/probe-metrics.js'
import type { CheckResult } from '../../types.js'
import type { Problem } from '../input.js'
import { durationMsOf } from './duration.js'
import type { Ending, Format, Surroundings } from './format.js'

/** Which of two results for one series stands: the worse, and of two alike the later. */
const badness = { up: 0, unknown: 1, down: 2 } as const

/** Characters that are written in one go. */
const chunkLength = 65_536

export class PrometheusFormat implements Format {
  readonly #out: Surroundings
  readonly #subjects = new Map<string, ProbeSubject>()
  #merged = 0
  #inputErrors = 0

  constructor(out: Surroundings) {
    this.#out = out
  }

  result(result: CheckResult, earlier = false): void {
    const address = this.#out.allAddresses ? result.address : undefined
    const series = seriesOf(result.target, result.labels, address)
    const known = this.#subjects.get(series)
    if (known) this.#merged += 1
    if (known && badness[known.result.status] > badness[result.status]) return
    this.#subjects.set(series, { result: keptOf(result), durationMs: durationMsOf(result, earlier) })
  }

  problem({ words }: Problem): void {
    this.#inputErrors += Math.max(1, words.length)
  }

  async end(ending: Ending): Promise<void> {
    const out = new Chunks(this.#out)
    for (const family of resultFamilies) {
      let headed = false
      for (const [series, subject] of this.#subjects) {
        const lines = linesOf(family, subject, series)
        if (lines === '') continue
        if (!headed) await out.add(headOf(family, 'text'))
        headed = true
        await out.add(lines)
      }
    }
    await out.add(this.#ofTheCheck(ending))
    await out.flush()
    if (this.#merged > 0) {
      const count = `${this.#merged} ${this.#merged === 1 ? 'result' : 'results'}`
      await this.#out.note(
        `${count} had the target and labels of another: a series stands for the worst of them, down before unknown before up.`,
      )
    }
  }

  #ofTheCheck({ summary: { counts }, elapsedMs, interruption }: Ending): string {
    return [
      gauge('cancelpoint_check_targets', 'Results of the check by status.'),
      ...(['up', 'down', 'unknown'] as const).map(
        (status) => `cancelpoint_check_targets{status="${status}"} ${counts[status]}\n`,
      ),
      gauge('cancelpoint_check_input_errors', 'Words and files of the input that could not be read.'),
      `cancelpoint_check_input_errors ${this.#inputErrors}\n`,
      gauge('cancelpoint_check_interrupted', '1 where the check was interrupted, and has not all results.'),
      `cancelpoint_check_interrupted ${Number(interruption !== undefined)}\n`,
      gauge('cancelpoint_check_duration_seconds', 'How long the check took.'),
      `cancelpoint_check_duration_seconds ${seconds(elapsedMs)}\n`,
      gauge('cancelpoint_check_completion_timestamp_seconds', 'When the check ended, in unixtime.'),
      `cancelpoint_check_completion_timestamp_seconds ${seconds(Date.now())}\n`,
    ].join('')
  }
}

class Chunks {
  readonly #out: Surroundings
  #text = ''

  constructor(out: Surroundings) {
    this.#out = out
  }

  async add(text: string): Promise<void> {
    this.#text += text
    if (this.#text.length >= chunkLength) await this.flush()
  }

  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    await this.#out.write(text)
  }
}

/** What metrics need of a result: what it says of a failure, and who made its certificate, is not among that. */
function keptOf(result: CheckResult): Probed {
  const { target, labels, reason, port, path, attempts, startedAt, certificate, ...kept } = result
  return certificate ? { ...kept, certificate: { validTo: certificate.validTo } } : kept
}

const gauge = (name: string, help: string): string => headOf({ name, help, type: 'gauge' }, 'text')
