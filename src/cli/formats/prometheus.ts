/**
 * A file for the textfile collector of Prometheus's node_exporter, with the names of its blackbox_exporter where it has one. All
 * samples of a metric stand together, so what they need is kept until the end: some hundred bytes and the labels of each target.
 */
import { isIPv6 } from 'node:net'
import { escaped, seriesOf } from '../../core/exposition.js'
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import type { Problem } from '../input.js'
import { durationMsOf } from './duration.js'
import type { Ending, Format, Surroundings } from './format.js'

/** Of one series: the result that stands for it. */
interface Sample {
  status: CheckResult['status']
  durationMs: number
  nameMs: number | undefined
  connectMs: number | undefined
  tlsMs: number | undefined
  stepsMs: number | undefined
  ipProtocol: 4 | 6 | undefined
  certificateEnds: number | undefined
  /** Undefined where nothing was expected. */
  unexpected: boolean | undefined
  /** Labels; the few kinds of failure are shared. */
  failure: string | undefined
}

/** One line: labels to add, and the value. */
type Line = readonly [labels: string, value: number | undefined]

interface Family {
  name: string
  help: string
  lines(sample: Sample): readonly Line[]
}

const one = (value: number | undefined): readonly Line[] => [['', value]]

const families: readonly Family[] = [
  {
    name: 'probe_success',
    help: '1 for up, 0 for down. A target that is unknown has no sample: see cancelpoint_probe_unknown.',
    lines: ({ status }) => one(status === 'unknown' ? undefined : Number(status === 'up')),
  },
  {
    name: 'cancelpoint_probe_unknown',
    help: '1 where it cannot be told whether the target is up, and 0 where it can.',
    lines: ({ status }) => one(Number(status === 'unknown')),
  },
  {
    name: 'probe_duration_seconds',
    help: 'How long the probe took to complete.',
    lines: ({ durationMs }) => one(seconds(durationMs)),
  },
  {
    name: 'probe_dns_lookup_time_seconds',
    help: 'How long it took until the first address of the name was known.',
    lines: ({ nameMs }) => one(seconds(nameMs)),
  },
  {
    name: 'cancelpoint_probe_phase_duration_seconds',
    help: 'How long connect(2), the TLS handshakes and the other steps took.',
    lines: ({ connectMs, tlsMs, stepsMs }) => [
      ['phase="connect"', seconds(connectMs)],
      ['phase="tls"', seconds(tlsMs)],
      ['phase="steps"', seconds(stepsMs)],
    ],
  },
  {
    name: 'probe_ip_protocol',
    help: 'Whether the address is of IP 4 or 6.',
    lines: ({ ipProtocol }) => one(ipProtocol),
  },
  {
    name: 'probe_ssl_earliest_cert_expiry',
    help: 'When the certificate of the target ends, in unixtime.',
    lines: ({ certificateEnds }) => one(seconds(certificateEnds)),
  },
  {
    name: 'probe_failed_due_to_regex',
    help: '1 where the target did not say what was expected.',
    lines: ({ unexpected }) => one(unexpected === undefined ? undefined : Number(unexpected)),
  },
  {
    name: 'cancelpoint_probe_failure_info',
    help: 'Why a target is not up.',
    lines: ({ failure }) => (failure === undefined ? [] : [[failure, 1]]),
  },
]

/** Which of two results for one series stands: the worse, and of two alike the later. */
const badness = { up: 0, unknown: 1, down: 2 } as const

/** Characters that are written in one go. */
const chunkLength = 65_536

export class PrometheusFormat implements Format {
  readonly #out: Surroundings
  readonly #samples = new Map<string, Sample>()
  readonly #failures = new Map<string, string>()
  #merged = 0
  #inputErrors = 0

  constructor(out: Surroundings) {
    this.#out = out
  }

  result(result: CheckResult, earlier = false): void {
    const address = this.#out.allAddresses ? result.address : undefined
    const series = seriesOf(result.target, result.labels, address)
    const known = this.#samples.get(series)
    if (known) this.#merged += 1
    if (known && badness[known.status] > badness[result.status]) return
    this.#samples.set(series, this.#sampleOf(result, earlier))
  }

  problem({ words }: Problem): void {
    this.#inputErrors += Math.max(1, words.length)
  }

  async end(ending: Ending): Promise<void> {
    const out = new Chunks(this.#out)
    for (const { name, help, lines } of families) {
      let headed = false
      for (const [series, sample] of this.#samples) {
        for (const [labels, value] of lines(sample)) {
          if (value === undefined) continue
          if (!headed) await out.add(headOf(name, help))
          headed = true
          await out.add(`${name}{${series}${labels && `,${labels}`}} ${value}\n`)
        }
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
      headOf('cancelpoint_check_targets', 'Results of the check by status.'),
      ...(['up', 'down', 'unknown'] as const).map(
        (status) => `cancelpoint_check_targets{status="${status}"} ${counts[status]}\n`,
      ),
      headOf('cancelpoint_check_input_errors', 'Words and files of the input that could not be read.'),
      `cancelpoint_check_input_errors ${this.#inputErrors}\n`,
      headOf('cancelpoint_check_interrupted', '1 where the check was interrupted, and has not all results.'),
      `cancelpoint_check_interrupted ${Number(interruption !== undefined)}\n`,
      headOf('cancelpoint_check_duration_seconds', 'How long the check took.'),
      `cancelpoint_check_duration_seconds ${seconds(elapsedMs)}\n`,
      headOf('cancelpoint_check_completion_timestamp_seconds', 'When the check ended, in unixtime.'),
      `cancelpoint_check_completion_timestamp_seconds ${seconds(Date.now())}\n`,
    ].join('')
  }

  #sampleOf(result: CheckResult, earlier: boolean): Sample {
    const { status, nameMs, connectMs, tlsMs, stepsMs, address, certificate, step } = result
    return {
      status,
      durationMs: durationMsOf(result, earlier),
      nameMs,
      connectMs,
      tlsMs,
      stepsMs,
      ipProtocol: address === undefined ? undefined : isIPv6(address) ? 6 : 4,
      certificateEnds: certificate?.validTo,
      unexpected: stepsMs === undefined && step === undefined ? undefined : result.code === 'ERR_EXPECT',
      failure: status === 'up' ? undefined : this.#failureOf(result),
    }
  }

  #failureOf({ code = 'unknown', errnoClass = 'unknown', phase }: CheckResult): string {
    const value = (text: string) => `"${escaped(printable(text))}"`
    const text = `code=${value(code)},errno_class=${value(errnoClass)},phase=${value(phase ?? '')}`
    const shared = this.#failures.get(text)
    if (shared === undefined) this.#failures.set(text, text)
    return shared ?? text
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

const headOf = (name: string, help: string): string => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`

/** To nanoseconds: a quotient of two floating-point numbers has digits that nobody measured. */
const seconds = <T extends number | undefined>(ms: T): T =>
  (ms === undefined ? ms : Number((ms / 1000).toFixed(9))) as T
