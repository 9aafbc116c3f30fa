/**
 * JUnit's XML, as Jenkins, GitLab and GitHub's actions read it: a target is a test case, `down` is a failure, `unknown` an error.
 * The counts stand at the head of the document and are known at its end, so the cases wait in a spool.
 */
import { hostname } from 'node:os'

import { advise } from '../../core/errno.js'
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import type { Place } from '../input/entry.js'
import type { Problem } from '../input.js'
import { interruptionText, recordsOf } from '../report.js'
import { Spool } from '../spool.js'
import { durationMsOf } from './duration.js'
import type { Ending, Format, Surroundings } from './format.js'

const suiteName = 'cancelpoint check'

export class JunitFormat implements Format {
  readonly #out: Surroundings
  readonly #spool = new Spool()
  readonly #startedAt = new Date()
  readonly #counts = { tests: 0, failures: 0, errors: 0 }

  constructor(out: Surroundings) {
    this.#out = out
  }

  async result(result: CheckResult & Place, earlier = false): Promise<void> {
    const { target, address, labels = {} } = result
    const name = this.#out.allAddresses && address !== undefined ? `${target} (${address})` : target
    const outcome = result.status === 'up' ? undefined : outcomeOf(result)
    await this.#add(name, labels.group ?? hostOf(result), durationMsOf(result, earlier), propertiesOf(result), outcome)
  }

  async problem(problem: Problem): Promise<void> {
    for (const record of recordsOf(problem)) await this.result(record)
    if (problem.words.length > 0) return
    const { where = 'input', message } = problem
    await this.#add(where, 'input', 0, {}, { element: 'error', type: 'ERR_INPUT', message, text: message })
  }

  async end({ summary, elapsedMs, interruption }: Ending): Promise<void> {
    await using spool = this.#spool
    if (interruption) {
      const message = `Interrupted: ${summary.total} checked, ${interruptionText(interruption)}`
      await this.#add(suiteName, suiteName, 0, {}, { element: 'error', type: 'INTERRUPTED', message, text: message })
    }
    const counts = attributes({ ...this.#counts, time: seconds(elapsedMs) })
    // Ant's and Maven's schema has neither a fraction nor a time zone.
    const suite = attributes({
      timestamp: this.#startedAt.toISOString().slice(0, 19),
      hostname: hostname(),
      skipped: 0,
    })
    await this.#out.write(
      `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${suiteName}"${counts}>\n` +
        `  <testsuite name="${suiteName}"${counts}${suite}>\n`,
    )
    for await (const text of spool.read()) await this.#out.write(text)
    await this.#out.write('  </testsuite>\n</testsuites>\n')
  }

  #add(name: string, classname: string, ms: number, properties: Properties, outcome?: Outcome): Promise<void> {
    this.#counts.tests += 1
    if (outcome?.element === 'failure') this.#counts.failures += 1
    if (outcome?.element === 'error') this.#counts.errors += 1
    const inner = [...propertyLines(properties), ...(outcome ? [outcomeLine(outcome)] : [])]
    const head = `    <testcase${attributes({ name, classname, time: seconds(ms) })}`
    return this.#spool.add(inner.length === 0 ? `${head}/>\n` : `${head}>\n${inner.join('')}    </testcase>\n`)
  }
}

interface Outcome {
  element: 'failure' | 'error'
  type: string
  message: string
  text: string
}

function outcomeOf({
  status,
  code = 'unknown',
  errnoClass = 'unknown',
  phase,
  reason = '',
  ...rest
}: CheckResult): Outcome {
  const { address, port, path, attempts } = rest
  const place = path ?? (address === undefined ? undefined : `${address} port ${port}`)
  const lines = [
    reason,
    advise(code, errnoClass)?.remedy,
    `${status}: ${code}, class ${errnoClass}${phase === undefined ? '' : `, phase ${phase}`}`,
    `${place === undefined ? '' : `at ${place}, `}attempts: ${attempts}`,
  ]
  return {
    element: status === 'down' ? 'failure' : 'error',
    type: code,
    message: `${code} (${errnoClass}): ${reason}`,
    text: lines.filter((line) => line).join('\n'),
  }
}

const outcomeLine = ({ element, type, message, text }: Outcome): string =>
  `      <${element}${attributes({ message, type })}>${text.split('\n').map(escaped).join('\n')}</${element}>\n`

type Properties = Readonly<Record<string, string | number>>

/** Labels, then where the certificate or the input has more to say. */
function propertiesOf({ labels, certificate, file, line, column }: CheckResult & Place): Properties {
  return {
    ...labels,
    ...(certificate && { 'certificate.subject': certificate.subject, 'certificate.daysLeft': certificate.daysLeft }),
    ...(file !== undefined && { 'input.file': file }),
    ...(line !== undefined && { 'input.line': line }),
    ...(column !== undefined && { 'input.column': column }),
  }
}

function propertyLines(properties: Properties): string[] {
  const lines = Object.entries(properties).map(([name, value]) => `        <property${attributes({ name, value })}/>\n`)
  return lines.length === 0 ? [] : ['      <properties>\n', ...lines, '      </properties>\n']
}

const attributes = (values: Record<string, string | number>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('')

/** XML 1.0 has no place for control characters, escaped or not: they are shown. */
const escaped = (text: string): string => printable(text).replace(/[<>&"']/g, (character) => entities[character]!)

const entities: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Of the target as it is written; all paths together, and all that is no target. */
function hostOf({ target, code }: CheckResult): string {
  if (code === 'ERR_INVALID_TARGET') return 'input'
  if (target.startsWith('unix:')) return 'unix'
  const [, host] = /^(?:tcp:\/\/)?(\[[^\]]*\]|.*?)(?::\d+)?$/s.exec(target) ?? []
  return host || 'input'
}

const seconds = (ms: number): string => (ms / 1000).toFixed(6)
