/** Tables and sentences as wide as the terminal they are for: lines break between words, never inside one. */
import stringWidth from 'string-width'
import wrapAnsi from 'wrap-ansi'

const indent = '  '
const gap = '  '

/** How wide a stream's terminal is; undefined where it is none, and lines may be of any length. */
export const columnsOf = (stream: NodeJS.WriteStream): number | undefined => (stream.isTTY ? stream.columns : undefined)

/**
 * `text` in lines of at most `columns`; where a line is broken, the next one begins like it and with `hanging`. A word that is
 * longer than a line stays whole.
 */
export function wrapped(text: string, columns: number | undefined, hanging = ''): string {
  if (columns === undefined) return text
  const lines = text.split('\n').flatMap((line) => {
    if (stringWidth(line) <= columns) return line
    const lead = /^ */.exec(line)![0]
    const [first = '', ...rest] = words(line, columns - lead.length)
    const next = lead + hanging
    return [lead + first, ...words(rest.join(' '), columns - next.length).flatMap((more) => (more ? next + more : []))]
  })
  return lines.join('\n')
}

/** Columns with two spaces between them, no lines. Where they do not fit, cells take several lines; failing that, rows do. */
export function table(rows: readonly (readonly string[])[], columns?: number): string {
  const widths = fitted(rows, columns)
  const lines = widths ? rows.flatMap((row) => inColumns(row, widths)) : rows.map((row) => inSequence(row, columns!))
  return lines.join('\n')
}

/** The width of each column; undefined where some word would have to be broken. */
function fitted(rows: readonly (readonly string[])[], columns: number | undefined): number[] | undefined {
  const count = Math.max(...rows.map(({ length }) => length))
  const widest = (width: (cell: string) => number) =>
    Array.from({ length: count }, (_, index) => Math.max(...rows.map((row) => width(row[index] ?? ''))))
  const widths = widest(stringWidth)
  if (columns === undefined) return widths
  const least = widest((cell) => Math.max(...cell.split(' ').map((word) => stringWidth(word))))
  const room = columns - indent.length - gap.length * (count - 1)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  if (sum(least) > room) return undefined
  for (let excess = sum(widths) - room; excess > 0; excess -= 1) {
    const slack = widths.map((width, index) => (width > least[index]! ? width : 0))
    widths[slack.indexOf(Math.max(...slack))]! -= 1
  }
  return widths
}

function inColumns(row: readonly string[], widths: readonly number[]): string[] {
  const cells = row.map((cell, index) => (stringWidth(cell) > widths[index]! ? words(cell, widths[index]!) : [cell]))
  return Array.from({ length: Math.max(...cells.map(({ length }) => length)) }, (_, line) => {
    const parts = cells.map((lines, index) => padded(lines[line] ?? '', widths[index]!))
    return `${indent}${parts.join(gap)}`.trimEnd()
  })
}

/** One cell after the other. */
const inSequence = (row: readonly string[], columns: number): string =>
  indent + wrapped(row.filter((cell) => cell !== '').join(gap), columns - indent.length, indent + indent)

const words = (text: string, width: number): string[] => wrapAnsi(text, Math.max(1, width)).split('\n')

const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)))
