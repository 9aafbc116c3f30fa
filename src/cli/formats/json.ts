/** JSON Lines: one result a line, as docs/check-result.schema.json describes it. */
import { jsonLine } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import type { Problem } from '../input.js'
import { recordsOf } from '../report.js'
import type { Format, Surroundings } from './format.js'

export class JsonFormat implements Format {
  readonly streams = true
  readonly #out: Surroundings

  constructor(out: Surroundings) {
    this.#out = out
  }

  async result(result: CheckResult, earlier = false): Promise<void> {
    if (!earlier) await this.#out.write(`${jsonLine(result)}\n`)
  }

  async problem(problem: Problem): Promise<void> {
    for (const record of recordsOf(problem)) await this.result(record)
  }

  async end(): Promise<void> {}
}
