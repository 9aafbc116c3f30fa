/** The flags that say what a probe does after its connect. `check` and whatever else probes share them. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type PresetName, presetNames, type StarttlsName, starttlsNames } from '../check/presets/names.js'
import { statusesExpected, statusRanges } from '../check/presets/statuses.js'
import type { ProbeStep } from '../types.js'
import { daysAtMost, serverName } from './arguments.js'

export interface ProbeFlags {
  tls?: boolean
  servername?: string
  starttls?: StarttlsName
  certMinDays?: number
  /** Of --send and --expect, in the order in which they were given. */
  send?: ProbeStep[]
  expect?: ProbeStep[]
  probe?: PresetName
  expectStatus?: string
}

export function addProbeFlags(command: Command): void {
  const script: ProbeStep[] = []
  const collect = (step: (text: string) => ProbeStep) => (text: string) => {
    script.push(step(text))
    return script
  }
  command
    .optionsGroup('What is asked of a target, beyond the connect:')
    .option('--tls', 'make a TLS handshake after the connect; the certificate must be valid for the host')
    .option('--servername <name>', 'the name to ask for and to verify in TLS; implies --tls', serverName)
    .addOption(
      new Option('--starttls <protocol>', 'begin in plain text, and have the service change to TLS')
        .choices(starttlsNames)
        .conflicts('tls'),
    )
    .option('--cert-min-days <n>', 'a certificate with fewer days left is down; implies --tls', days)
    .addOption(
      new Option('--probe <service>', 'ask the service whether it serves, in its own protocol').choices(presetNames),
    )
    .option(
      '--expect-status <list>',
      'the statuses of --probe http: 200, 2xx, 200-204,301 (default: 2xx,3xx)',
      statuses,
    )
    .option(
      '--send <text>',
      'send this; knows \\r \\n \\t \\xNN \\\\; may be repeated, in turn with --expect',
      collect(sendOf),
    )
    .option('--expect <pattern>', 'wait until what comes matches this regular expression', collect(expectOf))
}

function days(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : -1
  if (count < 0 || count > daysAtMost)
    throw new InvalidArgumentError(`Expected a whole number of days up to ${daysAtMost}.`)
  return count
}

function statuses(text: string): string {
  if (!statusRanges(text)) throw new InvalidArgumentError(`Expected ${statusesExpected}.`)
  return text
}

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }

/** Bytes, where it has `\xNN`; what is written as it is goes out in UTF-8. */
function sendOf(text: string): ProbeStep {
  const parts = text.split(/(\\(?:x[0-9A-Fa-f]{2}|.|$))/s).map((part) => {
    if (!part.startsWith('\\')) return Buffer.from(part)
    if (/^\\x[0-9A-Fa-f]{2}$/.test(part)) return Buffer.from(part.slice(2), 'hex')
    const known = escapes[part.slice(1)]
    if (known === undefined) throw new InvalidArgumentError(`It has ${part}: expected \\r, \\n, \\t, \\xNN or \\\\.`)
    return Buffer.from(known)
  })
  return { send: Buffer.concat(parts) }
}

function expectOf(text: string): ProbeStep {
  try {
    return { expect: new RegExp(text, 's') }
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
