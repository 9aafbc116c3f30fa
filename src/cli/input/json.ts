/** JSON read a piece at a time, each piece with where it stands: what `JSON.parse` does not tell. */
import { DocumentError, type Entry, type Node } from './document.js'

const whitespace = /[ \t\n\r]*/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const words = new Map<string, true | false | null>([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** Deeper than any list of targets, and not so deep that reading it fills the stack. */
const depthAtMost = 100

/**
 * The members of the list that the text is, one at a time; the text itself where it is something else.
 * @throws DocumentError where it is no JSON, after what came before that.
 */
export function* jsonItems(text: string): Generator<Node, Node | undefined> {
  const reader = new Reader(text)
  reader.skip()
  if (!reader.takes('[')) {
    const node = reader.value(0)
    reader.end()
    return node
  }
  yield* reader.members(0)
  reader.end()
  return undefined
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  skip(): void {
    whitespace.lastIndex = this.#at
    whitespace.test(this.#text)
    this.#at = whitespace.lastIndex
  }

  takes(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false
    this.#at += 1
    this.skip()
    return true
  }

  end(): void {
    if (this.#at < this.#text.length) this.#fail('expected the end of the text')
  }

  value(depth: number): Node {
    if (depth > depthAtMost) this.#fail(`expected lists and objects no deeper than ${depthAtMost}`)
    const at = this.#at
    if (this.takes('[')) return { kind: 'list', at, items: [...this.members(depth)] }
    if (this.takes('{')) return { kind: 'map', at, entries: this.#entries(depth) }
    if (this.#text[at] === '"') return { kind: 'scalar', at, value: this.#string() }
    number.lastIndex = at
    const [digits] = number.exec(this.#text) ?? []
    if (digits !== undefined) return this.#scalar(digits, Number(digits))
    for (const [word, value] of words) if (this.#text.startsWith(word, at)) return this.#scalar(word, value)
    return this.#fail('expected a value')
  }

  /** After the bracket that opens a list. */
  *members(depth: number): Generator<Node> {
    if (this.takes(']')) return
    do yield this.value(depth + 1)
    while (this.takes(','))
    if (!this.takes(']')) this.#fail('expected , or ]')
  }

  #entries(depth: number): Entry[] {
    const entries: Entry[] = []
    if (this.takes('}')) return entries
    do {
      const keyAt = this.#at
      if (this.#text[keyAt] !== '"') this.#fail('expected a name in double quotes')
      const key = this.#string()
      if (!this.takes(':')) this.#fail('expected :')
      entries.push({ key, keyAt, value: this.value(depth + 1) })
    } while (this.takes(','))
    if (!this.takes('}')) this.#fail('expected , or }')
    return entries
  }

  #string(): string {
    let end = this.#at
    do {
      end = this.#text.indexOf('"', end + 1)
      if (end < 0) this.#fail('expected a " that ends the string')
    } while (this.#isEscaped(end))
    try {
      const value = JSON.parse(this.#text.slice(this.#at, end + 1)) as string
      this.#at = end + 1
      this.skip()
      return value
    } catch {
      return this.#fail('expected a string without control characters and with escapes as JSON has them')
    }
  }

  #isEscaped(at: number): boolean {
    let backslashes = 0
    while (this.#text[at - 1 - backslashes] === '\\') backslashes += 1
    return backslashes % 2 === 1
  }

  #scalar(source: string, value: number | boolean | null): Node {
    const at = this.#at
    this.#at += source.length
    this.skip()
    return { kind: 'scalar', at, value, source }
  }

  #fail(message: string): never {
    throw new DocumentError(this.#at, `is not JSON: ${message}`)
  }
}
