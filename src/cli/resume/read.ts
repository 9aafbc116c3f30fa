/** A journal read from its start: its results, what is wrong with it, and where it would go on. */
import { read as readCallback } from 'node:fs'
import { promisify } from 'node:util'

import { keyOf } from '../../core/target-key.js'
import { isTorn, type JournalRecord, recordOf } from './record.js'

const read = promisify(readCallback)

/** A result is far shorter. */
const lineAtMost = 1_048_576
const chunkSize = 65_536
const newline = 10

export interface Contents {
  /** Numbers of lines that are no results. */
  damaged: number[]
  /** Bytes up to the end of the last whole result. */
  end: number
  /** Bytes after that: the rest of a line, or the first results of a target, that was being written. */
  torn: number
  /** The last line is whole but for its end. */
  unended: boolean
}

/** The results of one target: several where it has one for each of its addresses. */
export type OnTarget = (results: JournalRecord[]) => void

/** `fd`: a regular file. Each target is told once all of its results were read. */
export async function readJournal(fd: number, signal: AbortSignal, onTarget: OnTarget): Promise<Contents> {
  const contents: Contents = { damaged: [], end: 0, torn: 0, unended: false }
  let number = 0
  let at = 0
  let open: JournalRecord[] = []
  let openLine = 0
  const damage = (line: number) => contents.damaged.push(line)
  const take = (record: JournalRecord, end: number) => {
    const [first] = open
    if (first && keyOf(first.target, first.labels) !== keyOf(record.target, record.labels)) {
      damage(openLine)
      open = []
    }
    if (open.length === 0) openLine = number
    open.push(record)
    if (record.more) return
    onTarget(open)
    open = []
    contents.end = end
  }
  const line = (bytes: Buffer) => {
    number += 1
    at += bytes.length + 1
    const record = bytes.length > lineAtMost ? undefined : recordOf(bytes.toString())
    if (record) take(record, at)
    else damage(number)
  }

  let held: Buffer = Buffer.alloc(0)
  const chunk = Buffer.alloc(chunkSize)
  for (let position = 0; !signal.aborted; ) {
    const { bytesRead } = await read(fd, chunk, 0, chunkSize, position)
    if (bytesRead === 0) break
    position += bytesRead
    let bytes = Buffer.concat([held, chunk.subarray(0, bytesRead)])
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline)) {
      line(bytes.subarray(0, end))
      bytes = bytes.subarray(end + 1)
    }
    if (bytes.length > lineAtMost) {
      damage(number + 1)
      return contents
    }
    held = bytes
  }
  const tail = held.toString()
  const last = recordOf(tail)
  if (last && !last.more) {
    number += 1
    take(last, at + held.length)
    contents.unended = true
  } else if (held.length > 0 && !isTorn(tail)) damage(number + 1)
  contents.torn = at + held.length - contents.end
  return contents
}
