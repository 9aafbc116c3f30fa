/**
 * The journal of `--resume`: a line a result, written before anybody is told of it. What a process wrote is the kernel's, so a
 * result outlives a SIGKILL of the process; every second what was written is put on disk, so a power failure costs no more
 * results than that.
 */

import { randomInt } from 'node:crypto'
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  writeSync,
} from 'node:fs'

import { PlannedTarget } from '../../check/planned-target.js'
import { Tally } from '../../core/tally.js'
import { keyOf } from '../../core/target-key.js'
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'
import { UsageError } from '../exit-code.js'
import { reasonOf } from '../input/entry.js'
import type { Readied } from '../input/words.js'
import { type Lock, lock } from './lock.js'
import { readJournal } from './read.js'
import { isOfNoTarget, type JournalRecord, journalLine } from './record.js'

const syncMs = 1_000
const damagedShown = 10

export interface JournalOptions {
  /** A target has a result for each of its addresses. */
  allAddresses: boolean
  signal: AbortSignal
  /** A sentence for people. */
  note: (sentence: string) => void
  /** Each result that it has. */
  earlier: (result: CheckResult) => void
}

/** @throws UsageError where it is in use, damaged, or cannot be read or written. Nothing of it is changed then. */
export async function openJournal(file: string, options: JournalOptions): Promise<Journal> {
  const name = printable(file)
  const fd = opened(file, name)
  let held: Lock | undefined
  try {
    if (!fstatSync(fd).isFile()) throw new UsageError(`${name} is no regular file: expected one for the results`)
    if (isStandardOutput(fd)) throw new UsageError(`standard output goes into ${name} too: leave one of them out`)
    held = await lock(realpathSync(file))
    const done = new Tally(randomInt(2 ** 32))
    const earlier = (records: JournalRecord[]) => {
      for (const { more, ...result } of records) if (!isOfNoTarget(result)) options.earlier(result)
      const [{ target, labels }] = records as [JournalRecord]
      if (!isOfNoTarget(records[0]!)) done.add(keyOf(target, labels))
    }
    const { damaged, end, torn, unended } = await readJournal(fd, options.signal, earlier)
    if (damaged.length > 0) throw new UsageError(damageText(name, damaged))
    if (torn > 0 && !options.signal.aborted) {
      ftruncateSync(fd, end)
      options.note(
        `${name} ended in the middle of a result: ${torn} bytes were cut off, and its target is checked again.`,
      )
    }
    const journal = new Journal(name, fd, held, done, torn > 0 ? end : fstatSync(fd).size, options)
    if (unended) journal.endLine()
    return journal
  } catch (error) {
    held?.release()
    closeSync(fd)
    throw error instanceof UsageError ? error : new UsageError(`${name} cannot be used: ${reasonOf(error)}`)
  }
}

/** Only what is a file is opened for writing: a pipe without a reader would wait for one. */
function opened(file: string, name: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants
  try {
    return openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o644)
  } catch (error) {
    throw new UsageError(`${name} cannot be opened: ${reasonOf(error)}`)
  }
}

/** As in `--json --resume results.jsonl >> results.jsonl`: each result would be there twice. */
function isStandardOutput(fd: number): boolean {
  const [file, output] = [fstatSync(fd), fstatSync(1)]
  return file.dev === output.dev && file.ino === output.ino
}

function damageText(name: string, lines: readonly number[]): string {
  const shown = lines.slice(0, damagedShown).join(', ')
  const more = lines.length > damagedShown ? ` and ${lines.length - damagedShown} more` : ''
  const [what, are] = lines.length === 1 ? ['line', 'is no result'] : ['lines', 'are no results']
  return `${name}: ${what} ${shown}${more} ${are}. Nothing was checked or changed: remove ${lines.length === 1 ? 'it' : 'them'}, or give another file`
}

export class Journal {
  readonly #name: string
  readonly #fd: number
  readonly #lock: Lock
  readonly #done: Tally
  /** Targets that had results in it when it was opened. */
  readonly had: number
  readonly #allAddresses: boolean
  readonly #timer: NodeJS.Timeout
  #size: number
  /** With a result for each address: those of the target that came last, until it is known that there are no more. */
  #held: CheckResult[] = []
  #dirty = false
  #syncing = false
  #failure: unknown

  constructor(name: string, fd: number, lock: Lock, done: Tally, size: number, { allAddresses }: JournalOptions) {
    this.#name = name
    this.#fd = fd
    this.#lock = lock
    this.#done = done
    this.had = done.left
    this.#size = size
    this.#allAddresses = allAddresses
    this.#timer = setInterval(() => this.#sync(), syncMs).unref()
  }

  /** Results that no target of the input has taken. */
  get left(): number {
    return this.#done.left
  }

  /** Whether this target has its result already. Of a target that is in the input twice there have to be two. */
  has(target: Readied): boolean {
    return this.#done.take(keyOf(target.text, PlannedTarget.is(target) ? target.labels : undefined))
  }

  /** @throws UsageError where it cannot be written. */
  add(result: CheckResult): void {
    if (isOfNoTarget(result)) return
    if (!this.#allAddresses) {
      this.#write(journalLine(result, false))
      return
    }
    if (!this.#isOfSameTarget(result)) this.#flush()
    this.#held.push(result)
  }

  endLine(): void {
    this.#write('\n')
  }

  /** `whole`: every target that was begun has told all its results. */
  close(whole: boolean): void {
    clearInterval(this.#timer)
    try {
      if (whole) this.#flush()
      if (this.#failure === undefined) this.#attempt(() => fsyncSync(this.#fd))
    } finally {
      closeSync(this.#fd)
      this.#lock.release()
    }
  }

  /** The results of one target come together, and each has another address. */
  #isOfSameTarget({ target, labels, address, port }: CheckResult): boolean {
    const [first] = this.#held
    if (!first || first.address === undefined || address === undefined) return false
    if (keyOf(first.target, first.labels) !== keyOf(target, labels)) return false
    return !this.#held.some((held) => held.address === address && held.port === port)
  }

  /** In one write: a target whose results are not all there is checked again. */
  #flush(): void {
    const held = this.#held
    this.#held = []
    if (held.length > 0) this.#write(held.map((result, index) => journalLine(result, index < held.length - 1)).join(''))
  }

  #write(text: string): void {
    this.#attempt(() => {
      if (this.#failure !== undefined) throw this.#failure
      const bytes = Buffer.from(text)
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written)
      this.#size += bytes.length
      this.#dirty = true
    })
  }

  #sync(): void {
    if (!this.#dirty || this.#syncing) return
    this.#dirty = false
    this.#syncing = true
    fdatasync(this.#fd, (error) => {
      this.#syncing = false
      if (error && error.code !== 'EBADF') this.#failure ??= error
    })
  }

  /** What cannot be written whole is taken back, so that the next run finds whole lines. */
  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failure = error
      try {
        ftruncateSync(this.#fd, this.#size)
      } catch {
        // It is cut off when it is read again.
      }
      throw new UsageError(
        `${this.#name} cannot be written: ${reasonOf(error)}. It has the results up to there: put that right, and run the same command again`,
      )
    }
  }
}
