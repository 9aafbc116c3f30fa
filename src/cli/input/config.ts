/**
 * `--config`: groups of targets with labels, a probe and a time limit, in YAML. Whatever is wrong with it is told with its
 * place before anything is checked; a target that cannot be read is told like one of any list.
 */
import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import type { OwnSettings } from '../../check/planned-target.js'
import { show } from '../../core/invalid-target.js'
import { keyOf } from '../../core/target-key.js'
import { printable } from '../../core/text.js'
import { speaksTls } from '../../options.js'
import { daysAtMost, durationUpTo, maxTimeoutMs } from '../arguments.js'
import { UsageError } from '../exit-code.js'
import { DocumentError, describe, Lines, type Node } from './document.js'
import { type Entry, type Group, type Problem, problemAt, reasonOf } from './entry.js'
import { documentAtMost, entriesOfTargets, isNothing, labelsOf, membersOf } from './file-sd.js'
import { readProbe } from './probe.js'
import { ownSettingsOf } from './probe-settings.js'
import type { Batches } from './words.js'

export interface Config {
  file: string
  groups: readonly ConfigGroup[]
  /** Of the whole check: of its groups that speak TLS they are set already. */
  minCertificateDays?: number | undefined
  /** Where the file gives them, as people write it. */
  daysPlace: string
  /** Whether some group says TLS itself. */
  speaksTls: boolean
  /** Whether some probe says more than a connect. */
  speaks: boolean
}

export interface ConfigGroup {
  targets: Node
  group: Group
  placeOf: (at: number) => { file: string; line: number; column: number }
}

/** What a time limit of one try is for a target as a whole, which is the check's matter. */
export type Times = (timeoutMs: number) => Pick<OwnSettings, 'timeoutMs' | 'tryTimeoutMs' | 'attemptTimeoutMs'>

export async function* entriesOfConfig({ groups }: Config): Batches {
  for (const { targets, group, placeOf } of groups) {
    const entries: (Entry | Problem)[] = []
    entriesOfTargets(targets, group, placeOf, entries)
    yield entries
  }
}

/**
 * `days`: those that the certificates have to have left, in the place of the file's own.
 * @throws UsageError after every mistake was told to `tell`.
 */
export async function readConfig(
  file: string,
  times: Times,
  tell: (problem: Problem) => void,
  days?: number,
): Promise<Config> {
  const { yamlNode } = await import('./yaml.js')
  const text = textOf(file)
  const lines = new Lines(text)
  const placeOf = (at: number) => ({ file, ...lines.placeOf(at) })
  let mistakes = 0
  const mistake = (at: number, message: string) => {
    mistakes += 1
    tell(problemAt(placeOf(at), message))
  }
  let config: Config | undefined
  try {
    config = new Reader(file, times, placeOf, mistake, days).config(yamlNode(text))
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error
    mistake(error.at, error.message)
  }
  if (config !== undefined && mistakes === 0) return config
  const many = mistakes === 1 ? 'a mistake' : `${mistakes} mistakes`
  throw new UsageError(`${printable(file)} has ${many}: nothing was checked`)
}

/**
 * Results are told apart by target and labels. Undefined, or what to change, where groups could not be told apart by their
 * labels although they are checked in different ways. `others`: there are targets from elsewhere, without labels and probe.
 */
export function confusion({ groups }: Config, others: boolean): string | undefined {
  const ways = new Map<string, string>(others ? [[keyOf('', undefined), '']] : [])
  for (const { targets, group, placeOf } of groups) {
    const labels = keyOf('', group.labels)
    const way = group.own ? JSON.stringify(group.own, comparable) : ''
    if ((ways.get(labels) ?? way) !== way) {
      const { file, line } = placeOf(targets.at)
      return `${printable(file)}:${line}: this group has the labels of another, and another probe or timeout: give it labels of its own, so that --resume can tell their results apart`
    }
    ways.set(labels, way)
  }
  return undefined
}

const comparable = (name: string, value: unknown): unknown =>
  value instanceof RegExp || name === 'secureContext' ? String(value) : value

/** @throws UsageError where it is too large, or no text. */
function textOf(file: string): string {
  const name = printable(file)
  let bytes: Buffer
  try {
    if (statSync(file).size > documentAtMost.yaml) throw new Error('it is larger than 4 MiB')
    bytes = readFileSync(file)
  } catch (error) {
    throw new UsageError(`${name} cannot be read: ${reasonOf(error)}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UsageError(`${name} is not in UTF-8: convert it`)
  }
}

const groupNames = ['name', 'targets', 'labels', 'probe', 'timeout'] as const
const topNames = ['groups', 'certMinDays', ...groupNames] as const

type Members = Partial<Record<(typeof groupNames)[number], Node>>
type Mistake = (at: number, message: string) => void

/** What a group takes from the top level where it gives nothing itself. */
interface Defaults {
  labels?: Group['labels']
  probe?: OwnSettings | undefined
  times?: OwnSettings | undefined
}

class Reader {
  readonly #folder: string
  readonly #times: Times
  readonly #placeOf: ConfigGroup['placeOf']
  readonly #mistake: Mistake
  readonly #file: string
  #minDays: number | undefined

  constructor(file: string, times: Times, placeOf: ConfigGroup['placeOf'], mistake: Mistake, days?: number) {
    this.#minDays = days
    this.#file = file
    this.#folder = dirname(file)
    this.#times = times
    this.#placeOf = placeOf
    this.#mistake = mistake
  }

  config(root: Node | undefined): Config {
    if (root?.kind !== 'map') {
      const is = root === undefined ? 'is empty' : `is ${describe(root, show)}`
      throw new DocumentError(root?.at ?? 0, `${is}: expected groups: [{ targets: [...] }]`)
    }
    const { groups: listed, certMinDays, ...top } = membersOf(root, topNames, this.#mistake)
    const ownDays = certMinDays && this.#days(certMinDays)
    this.#minDays ??= ownDays
    const defaults = this.#defaults(top, {})
    const groups: ConfigGroup[] = top.targets ? [this.#group(top.targets, defaults)] : []
    if (listed && !isNothing(listed)) {
      if (listed.kind !== 'list') {
        this.#mistake(listed.at, `groups is ${describe(listed, show)}: expected a list of groups`)
      } else for (const each of listed.items) groups.push(...this.#member(each, defaults))
    }
    const speaks = groups.some(({ group: { own } }) => own?.tls || own?.steps)
    const hasCertificates = groups.some(({ group: { own } }) => own && speaksTls(own))
    const { line, column } = this.#placeOf(certMinDays?.at ?? 0)
    return {
      file: this.#file,
      groups,
      minCertificateDays: this.#minDays,
      daysPlace: `${printable(this.#file)}:${line}:${column}`,
      speaks,
      speaksTls: hasCertificates,
    }
  }

  #member(node: Node, defaults: Defaults): ConfigGroup[] {
    if (node.kind !== 'map') {
      this.#mistake(node.at, `the group is ${describe(node, show)}: expected { targets: [...], labels: {...} }`)
      return []
    }
    const members = membersOf(node, groupNames, this.#mistake)
    const own = this.#defaults(members, defaults)
    if (members.targets) return [this.#group(members.targets, own)]
    const { name } = members
    const called =
      name?.kind === 'scalar' && typeof name.value === 'string' ? `the group ${show(name.value)}` : 'the group'
    this.#mistake(node.at, `${called} has no targets: expected targets, a list`)
    return []
  }

  #group(targets: Node, { labels, probe, times }: Defaults): ConfigGroup {
    if (targets.kind !== 'list' && !isNothing(targets)) {
      this.#mistake(targets.at, `targets is ${describe(targets, show)}: expected a list of targets`)
    }
    const days = this.#minDays !== undefined && probe && speaksTls(probe) && { minCertificateDays: this.#minDays }
    const own = probe || times ? { ...probe, ...times, ...days } : undefined
    return { targets, group: { labels, own }, placeOf: this.#placeOf }
  }

  #defaults({ name, labels, probe, timeout }: Members, under: Defaults): Defaults {
    if (name && !(name.kind === 'scalar' && typeof name.value === 'string')) {
      this.#mistake(name.at, `name is ${describe(name, show)}: expected a text`)
    }
    const own = labels && labelsOf(labels, this.#mistake)
    return {
      labels: own ? Object.freeze({ ...under.labels, ...own }) : under.labels,
      probe: probe ? this.#probe(probe) : under.probe,
      times: timeout ? this.#time(timeout) : under.times,
    }
  }

  #probe(node: Node): OwnSettings | undefined {
    if (isNothing(node)) return undefined
    const options = readProbe(node, this.#folder, this.#mistake)
    return options && ownSettingsOf(options)
  }

  #time(node: Node): OwnSettings | undefined {
    try {
      const text = node.kind === 'scalar' ? (node.source ?? String(node.value)) : ''
      return this.#times(durationUpTo(maxTimeoutMs)(text))
    } catch (error) {
      const { message } = error as Error
      this.#mistake(
        node.at,
        `timeout is ${describe(node, show)}: ${message.charAt(0).toLowerCase()}${message.slice(1, -1)}`,
      )
      return undefined
    }
  }

  #days(node: Node): number | undefined {
    const value = node.kind === 'scalar' ? node.value : undefined
    if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= daysAtMost) return Number(value)
    this.#mistake(
      node.at,
      `certMinDays is ${describe(node, show)}: expected a whole number of days up to ${daysAtMost}`,
    )
    return undefined
  }
}
