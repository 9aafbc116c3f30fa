/** Documents in JSON or YAML as plain nodes that know where they stand. */
export type Node =
  | { kind: 'map'; at: number; entries: readonly Entry[] }
  | { kind: 'list'; at: number; items: readonly Node[] }
  | Scalar

/** `source`: as written, without quotes. `style`: YAML's, such as QUOTE_DOUBLE. */
export type Scalar = {
  kind: 'scalar'
  at: number
  value: unknown
  source?: string | undefined
  style?: string | undefined
}

export interface Entry {
  key: string
  keyAt: number
  value: Node
}

/** Something is wrong at this offset of the text. */
export class DocumentError extends Error {
  readonly at: number

  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

/** Offsets to lines and columns, which count from 1. The text is gone through only once, when it is first asked for. */
export class Lines {
  readonly #text: string
  #starts: number[] | undefined

  constructor(text: string) {
    this.#text = text
  }

  placeOf(offset: number): { line: number; column: number } {
    this.#starts ??= startsOf(this.#text)
    const starts = this.#starts
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
}

function startsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** For messages: `'text'`, `a list`, `a mapping`, `3`, `nothing`. */
export function describe(node: Node, show: (given: unknown) => string): string {
  if (node.kind === 'list') return 'a list'
  if (node.kind === 'map') return 'a mapping'
  return node.value === null ? 'nothing' : show(node.value)
}
