/** YAML as nodes that know where they stand. Loaded where there is some: the library takes a while. */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, parseDocument, type Node as YamlNode } from 'yaml'

import { show, toText } from '../../core/invalid-target.js'
import { DocumentError, describe, type Entry, type Node } from './document.js'

/**
 * A YAML document; undefined where there is nothing in it. What an alias stands for is the very node of its anchor, so a text
 * of aliases of aliases takes no more memory than it is long.
 * @throws DocumentError
 */
export function yamlNode(text: string): Node | undefined {
  try {
    const document = parseDocument(text, { prettyErrors: false, logLevel: 'error' })
    const [error] = document.errors
    if (error?.code === 'MULTIPLE_DOCS')
      throw new DocumentError(error.pos[0], 'begins a second document: expected one; make a file of each')
    if (error)
      throw new DocumentError(error.pos[0], `is not YAML: ${lowerFirst(error.message)}${hintAt(text, error.pos[0])}`)
    if (document.contents === null) return undefined
    return new YamlReader(document).node(document.contents)
  } catch (error) {
    if (error instanceof RangeError) throw new DocumentError(0, 'is nested too deeply to be read')
    throw error
  }
}

/** Members that merge keys may bring in, all together: each is copied, so a text of merges of merges could ask for any number. */
const mergedAtMost = 100_000

class YamlReader {
  readonly #known = new Map<unknown, Node>()
  /** Those that are still being read. */
  readonly #open = new Set<Node>()
  #merged = 0
  readonly #document: Document

  constructor(document: Document) {
    this.#document = document
  }

  node(given: unknown, near = 0): Node {
    const at = (given as YamlNode | null)?.range?.[0] ?? near
    if (isAlias(given)) {
      const meant = given.resolve(this.#document)
      if (!meant) throw new DocumentError(at, `names an anchor that is not before it: *${given.source}`)
      return this.node(meant, at)
    }
    const known = this.#known.get(given)
    if (known) return known
    if (isSeq(given)) {
      const items: Node[] = []
      return this.#keep(given, { kind: 'list', at, items }, () => {
        for (const item of given.items) items.push(this.node(item, at))
      })
    }
    if (isMap(given)) {
      const entries: Entry[] = []
      return this.#keep(given, { kind: 'map', at, entries }, () => {
        const pairs = given.items.filter(isPair)
        for (const { key, value } of pairs) if (!isMergeKey(key)) entries.push(this.#entry(key, value, at))
        for (const { key, value } of pairs)
          if (isMergeKey(key)) this.#merge(entries, this.node(key, at).at, this.node(value, at))
      })
    }
    if (!isScalar(given)) return { kind: 'scalar', at, value: null }
    return { kind: 'scalar', at, value: given.value, source: given.source, style: given.type }
  }

  /** Before what is in it is read, which may name it. */
  #keep(given: unknown, node: Node, fill: () => void): Node {
    this.#known.set(given, node)
    this.#open.add(node)
    fill()
    this.#open.delete(node)
    return node
  }

  /** `<<`: the members of another mapping, or of several, that are not there already. Of two the first counts. */
  #merge(entries: Entry[], at: number, from: Node): void {
    const names = new Set(entries.map(({ key }) => key))
    for (const map of from.kind === 'list' ? from.items : [from]) {
      if (map.kind !== 'map')
        throw new DocumentError(at, `merges ${describe(map, show)}: after << expected a mapping, or a list of them`)
      if (this.#open.has(map)) throw new DocumentError(at, 'merges a mapping into itself')
      for (const entry of map.entries) {
        this.#merged += 1
        if (this.#merged > mergedAtMost)
          throw new DocumentError(
            at,
            `merges more than ${mergedAtMost.toLocaleString('en')} members by <<: write less of them`,
          )
        if (names.has(entry.key)) continue
        names.add(entry.key)
        entries.push(entry)
      }
    }
  }

  #entry(key: unknown, value: unknown, near: number): Entry {
    const name = this.node(key, near)
    if (name.kind !== 'scalar')
      throw new DocumentError(name.at, `has a name that is no text${name.kind === 'list' ? hint : ''}`)
    const text = typeof name.value === 'string' ? name.value : (name.source ?? toText(name.value))
    return { key: text, keyAt: name.at, value: this.node(value, name.at) }
  }
}

/** Between quotes it is a name like any other. */
const isMergeKey = (key: unknown): boolean => isScalar(key) && key.type === 'PLAIN' && key.source === '<<'

const hint = "; a target such as '[::1]:80' is written in quotes"

/** To YAML what stands between brackets is a list. */
function hintAt(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1).split('\n', 1)[0]!
  return /(?<!['"])\[[\da-f.]*:[\da-f:.%/-]*\]:\d/i.test(line) ? hint : ''
}

const lowerFirst = (text: string): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`
