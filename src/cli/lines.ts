/** Text from streams, and the lines of a text of any length, which is never held whole: whichever marks end them. */
import type { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'

/** A longer line is not a list of targets, and would have to be held whole. Characters. */
export const maxLineLength = 65_536

/**
 * Lines without their ends, which are LF, CRLF or CR, as many at a time as have come; undefined in the place of one that is
 * too long. What is neither UTF-8 nor UTF-16 comes as U+FFFD.
 */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<(string | undefined)[], void> {
  let held = ''
  let skipping = false
  for await (const text of texts) {
    held += text
    // A CR at the end may be half of a CRLF.
    const whole = held.endsWith('\r') ? held.length - 1 : held.length
    const lines: (string | undefined)[] = held.slice(0, whole).split(/\r\n?|\n/)
    held = lines.pop()! + held.slice(whole)
    for (let i = 0; i < lines.length; i += 1) {
      if (skipping || lines[i]!.length > maxLineLength) lines[i] = undefined
      skipping = false
    }
    if (held.length > maxLineLength + 1) {
      skipping = true
      held = held.endsWith('\r') ? '\r' : ''
    }
    if (lines.length > 0) yield lines
  }
  const line = held.replace(/\r$/, '')
  if (skipping || held !== '') yield [skipping || line.length > maxLineLength ? undefined : line]
}

const markLength = 4

/**
 * A byte order mark says that it is UTF-16; without one it is UTF-8.
 * @throws Error for UTF-32
 */
export async function* textOf(stream: Readable): AsyncGenerator<string, void> {
  let decoder: TextDecoder | undefined
  let start = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (decoder) yield decoder.decode(bytes, { stream: true })
    else {
      start = Buffer.concat([start, bytes])
      if (start.length < markLength) continue
      decoder = new TextDecoder(encodingOf(start))
      yield decoder.decode(start, { stream: true })
    }
  }
  yield decoder ? decoder.decode() : new TextDecoder(encodingOf(start)).decode(start)
}

/** By the byte order mark, which the decoder leaves out. */
function encodingOf(start: Buffer): string {
  const mark = start.toString('hex', 0, markLength)
  if (mark === 'fffe0000' || mark === '0000feff') {
    throw new Error('it is in UTF-32: convert it to UTF-8 (iconv -f UTF-32 -t UTF-8)')
  }
  if (mark.startsWith('fffe')) return 'utf-16le'
  return mark.startsWith('feff') ? 'utf-16be' : 'utf-8'
}
