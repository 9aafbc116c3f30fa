/**
 * Prometheus's file_sd: a list of groups in JSON or YAML, `[{ "targets": ["db:5432"], "labels": { "job": "db" } }]`. JSON is
 * read group by group; YAML as a whole.
 */

import { show } from '../../core/invalid-target.js'
import { nearestHint } from '../../core/kinds.js'
import { DocumentError, describe, Lines, type Node } from './document.js'
import { type Entry, type Group, type Problem, problemAt } from './entry.js'
import { jsonItems } from './json.js'
import type { Batches } from './words.js'

export type DocumentKind = 'json' | 'yaml'

/** Characters. JSON is held as text; YAML costs a hundred bytes for each. */
export const documentAtMost: Readonly<Record<DocumentKind, number>> = { json: 268_435_456, yaml: 4_194_304 }

const tooLarge: Readonly<Record<DocumentKind, string>> = {
  json: 'is larger than 256 MiB: expected a smaller document; split it, or write lines of host:port',
  yaml: 'is larger than 4 MiB: expected a smaller document; write it as JSON, which may have 256 MiB',
}

/** By its ending. */
export function kindOfName(name: string): DocumentKind | undefined {
  if (/\.json$/i.test(name)) return 'json'
  return /\.ya?ml$/i.test(name) ? 'yaml' : undefined
}

/**
 * By its beginning, where no ending says it: a list of objects in brackets. A line of targets never begins so: what follows
 * the bracket of an IPv6 address is a part of the address.
 */
export const isFileSd = (start: string): boolean => /^\s*\[(?:\s|\{|\]|$)/.test(start)

export async function* entriesOfFileSd(
  texts: AsyncIterable<string>,
  file: string,
  kind: DocumentKind,
  most = documentAtMost[kind],
): Batches {
  const parts: string[] = []
  let length = 0
  for await (const part of texts) {
    length += part.length
    if (length > most) {
      yield [problemAt({ file }, tooLarge[kind])]
      return
    }
    parts.push(part)
  }
  const text = parts.join('')
  parts.length = 0
  const lines = new Lines(text)
  try {
    for (const group of kind === 'json'
      ? groupsOfJson(text)
      : groupsOfYaml((await import('./yaml.js')).yamlNode(text))) {
      const entries: (Entry | Problem)[] = []
      readGroup(group, (at) => ({ file, ...lines.placeOf(at) }), entries)
      yield entries
    }
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error
    yield [problemAt({ file, ...lines.placeOf(error.at) }, error.message)]
  }
}

const expected = 'expected a list of groups, such as [{"targets": ["db.internal:5432"], "labels": {"job": "db"}}]'

function* groupsOfJson(text: string): Generator<Node> {
  if (text.trim() === '') return
  const other = yield* jsonItems(text)
  if (other) throw noList(other)
}

function* groupsOfYaml(root: Node | undefined): Generator<Node> {
  if (root === undefined || isNothing(root)) return
  if (root.kind !== 'list') throw noList(root)
  yield* root.items
}

function noList(root: Node): DocumentError {
  const config = root.kind === 'map' && root.entries.some(({ key }) => key === 'groups' || key === 'probe')
  return new DocumentError(root.at, `is ${describe(root, show)}: ${config ? 'give it with --config; ' : ''}${expected}`)
}

export const isNothing = (node: Node): boolean => node.kind === 'scalar' && node.value === null

type PlaceOf = (at: number) => { file: string; line: number; column: number }

const names = ['targets', 'labels']

/** What is wrong with it is told, and the rest of it read. */
function readGroup(group: Node, placeOf: PlaceOf, entries: (Entry | Problem)[]): void {
  const problem = (at: number, message: string) => entries.push(problemAt(placeOf(at), message))
  if (group.kind !== 'map') {
    problem(group.at, `the group is ${describe(group, show)}: expected {"targets": [...], "labels": {...}}`)
    return
  }
  const known = membersOf(group, names, problem)
  const labels = known.labels && labelsOf(known.labels, problem)
  const shared: Group | undefined = labels && { labels }
  if (!known.targets) problem(group.at, 'the group has no targets: expected "targets", a list')
  else entriesOfTargets(known.targets, shared, placeOf, entries)
}

/** Adds an entry for each of them. */
export function entriesOfTargets(
  targets: Node,
  group: Group | undefined,
  placeOf: PlaceOf,
  entries: (Entry | Problem)[],
): void {
  if (isNothing(targets)) return
  if (targets.kind !== 'list') {
    entries.push(problemAt(placeOf(targets.at), `targets is ${describe(targets, show)}: expected a list of targets`))
    return
  }
  for (const target of targets.items) {
    const place = () => placeOf(target.at)
    if (target.kind === 'scalar' && typeof target.value === 'string') {
      entries.push({ words: [target.value], place, group })
    } else {
      const message = `${describe(target, show)} is not a target: expected a text such as "db.internal:5432"`
      entries.push({ words: [], bad: [{ text: sourceOf(target), message }], place })
    }
  }
}

const sourceOf = (node: Node): string => (node.kind === 'scalar' ? (node.source ?? String(node.value)) : '')

type Tell = (at: number, message: string) => void

/** The members of a mapping that are known, by name. The others are told, and so is what is there twice. */
export function membersOf<Name extends string>(
  map: Node & { kind: 'map' },
  known: readonly Name[],
  tell: Tell,
): Partial<Record<Name, Node>> {
  const members: Partial<Record<string, Node>> = {}
  for (const { key, keyAt, value } of map.entries) {
    if (!known.includes(key as Name)) {
      tell(keyAt, `${show(key)} is not known here: ${nearestHint(key, known) ?? `expected one of ${known.join(', ')}`}`)
    } else if (members[key]) tell(keyAt, `${key} is there twice: expected it once`)
    else members[key] = value
  }
  return members as Partial<Record<Name, Node>>
}

/** Undefined where there are none. */
export function labelsOf(node: Node, tell: Tell): Readonly<Record<string, string>> | undefined {
  if (isNothing(node)) return undefined
  if (node.kind !== 'map') {
    tell(node.at, `labels is ${describe(node, show)}: expected a mapping of texts, such as {"job": "db"}`)
    return undefined
  }
  const labels = new Map<string, string>()
  for (const { key, keyAt, value } of node.entries) {
    if (value.kind !== 'scalar' || value.value === null) {
      tell(value.at, `the label ${show(key)} is ${describe(value, show)}: expected a text`)
    } else if (labels.has(key)) tell(keyAt, `the label ${show(key)} is there twice: expected it once`)
    else labels.set(key, typeof value.value === 'string' ? value.value : (value.source ?? String(value.value)))
  }
  // Not by assignment: a label may be called __proto__.
  return labels.size > 0 ? Object.freeze(Object.fromEntries(labels)) : undefined
}
