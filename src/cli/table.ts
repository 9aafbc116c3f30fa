/** Tables on a terminal. */
import Table from 'cli-table3'

/** Columns with two spaces between them, no lines. */
export function table(rows: readonly string[][]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '' }
  const text = new Table({
    chars: {
      ...none,
      ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
      ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  text.push(...rows.map((row) => [...row]))
  return text
    .toString()
    .split('\n')
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n')
}
