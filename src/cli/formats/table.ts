/** What people read: a table, what it adds up to, and what each kind of failure means. Failures as they come where asked for. */
import type { CheckResult } from '../../types.js'
import { lineOf, Report } from '../report.js'
import { columnsOf, wrapped } from '../table.js'
import type { Ending, Format, Surroundings } from './format.js'

export class TableFormat implements Format {
  readonly forPeople = true
  readonly #out: Surroundings
  readonly #report: Report

  constructor(out: Surroundings) {
    this.#out = out
    this.#report = new Report({ resets: out.resets })
  }

  async result(result: CheckResult, earlier = false): Promise<void> {
    this.#report.add(result)
    if (earlier || !this.#out.verbose || result.status === 'up') return
    if (process.stdout.isTTY) this.#out.makeRoom()
    await this.#out.write(`${wrapped(lineOf(result), columnsOf(process.stdout), '  ')}\n`)
  }

  problem(): void {}

  async end({ elapsedMs, interruption }: Ending): Promise<void> {
    if (this.#out.quiet || (this.#report.summary.total === 0 && !interruption)) return
    const colour = process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR
    const [columns, told] = [columnsOf(process.stdout), this.#out.verbose === true]
    await this.#out.write(this.#report.render({ colour, elapsedMs, columns, interruption, told }))
  }
}
