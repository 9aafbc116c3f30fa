/** What protocols of lines have in common. */
import { quoted } from '../quoted.js'

/** The first line, without its end; undefined until it is whole. */
export function firstLine(bytes: Buffer, from = 0): { line: string; end: number } | undefined {
  const at = bytes.indexOf(10, from)
  if (at < 0) return undefined
  return { line: bytes.toString('latin1', from, at).replace(/\r$/, ''), end: at + 1 }
}

/** As a part of a sentence whose subject is the peer. */
export const answered = (line: string): { refused: string } => ({
  refused: `answered ${quoted(Buffer.from(line, 'latin1'))}`,
})
