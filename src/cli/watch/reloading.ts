/**
 * Reads the inputs of a watch again: on SIGHUP, and when one of their files changes. All of them are read as a whole. A list with
 * anything wrong in it is told and left, so that a slip of the pen stops no checks.
 */
import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { clearTimeout, performance, setTimeout } from '../../core/clock.js'
import * as limits from '../../core/limits.js'
import { Quiet } from '../../core/quiet.js'
import { printable } from '../../core/text.js'
import { FileWatch, type WatchFolder } from './file-watch.js'

/** Something that is wrong in an input. Lines and columns count from 1. */
export interface Fault {
  file?: string | undefined
  line?: number | undefined
  column?: number | undefined
  /** One clause. */
  message: string
}

/** All of the inputs, or what is wrong with them. */
export type Inputs<Entry> = { entries: readonly Entry[] } | { problems: readonly Fault[] }

export interface ReloadingOptions<Entry> {
  /** Regular files that the inputs come from: lists, and the file of options. */
  files: readonly string[]
  /** Reads all of them. What it throws is a problem too. */
  read: (signal: AbortSignal) => Promise<Inputs<Entry>>
  /** Takes a list that differs from the last one: `watch.replace`. What it throws is a problem, and the old list stays. */
  apply: (entries: readonly Entry[]) => unknown
  /** Told what people should know, a line each. */
  say: (line: string) => void
  /** Ends it, as disposing of it does. */
  signal?: AbortSignal | undefined
  /** The list that is in use. Without it the first one that is read is applied. */
  current?: readonly Entry[] | undefined
  /** Two entries with the same key are the same. Default: their JSON, and the patterns and bytes in them. */
  keyOf?: ((entry: Entry) => string) | undefined
  /** Of core/limits, those that are to be others. */
  limits?: Partial<typeof limits.reload> | undefined
  /** Default: fs.watch. */
  watchFolder?: WatchFolder | undefined
}

export interface Reloading extends AsyncDisposable {
  /** As SIGHUP does. Resolves once that is done. */
  reload(): Promise<void>
  /** Resolves once the files are watched and were read for the first time. */
  readonly ready: Promise<void>
}

/** Begins at once. SIGHUP must not mean anything else to this process: see spareHangUp in ../interrupt.ts. */
export function reloading<Entry>(options: ReloadingOptions<Entry>): Reloading {
  return new Reloader(options)
}

class Reloader<Entry> implements Reloading {
  readonly #options: ReloadingOptions<Entry>
  readonly #limits: typeof limits.reload
  readonly #quiet: Quiet
  readonly #files: FileWatch
  readonly #ended = new AbortController()
  readonly #end = () => this.#ended.abort()
  readonly #hangUp = () => void this.reload()
  readonly ready: Promise<void>
  #timer: NodeJS.Timeout | undefined
  /** Of the list in use. */
  #print: string | undefined
  #count = 0
  /** Of the files as they were when they were read last. */
  #signature: string | undefined
  /** What was wrong when they were read last. */
  #faults: string | undefined
  /** Somebody asked: it is read and told of even if nothing has changed. */
  #isAsked = false
  #unsteady = 0
  /** One round after the other. */
  #rounds: Promise<void> = Promise.resolve()

  constructor(options: ReloadingOptions<Entry>) {
    this.#options = options
    this.#limits = { ...limits.reload, ...options.limits }
    this.#quiet = new Quiet(this.#limits)
    const { pollMs, slowPollMs } = this.#limits
    const { files, signal, watchFolder } = options
    this.#files = new FileWatch(files, { heard: () => this.#heard(), pollMs, slowPollMs, watchFolder })
    if (signal?.aborted) this.#end()
    signal?.addEventListener('abort', this.#end)
    process.on('SIGHUP', this.#hangUp)
    this.ready = this.#next()
    this.#ended.signal.addEventListener('abort', () => this.#close())
    if (signal?.aborted) this.#close()
  }

  reload(): Promise<void> {
    this.#isAsked = true
    return this.#next()
  }

  /** Resolves once nothing is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
    await this.#rounds
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#files.close()
    process.off('SIGHUP', this.#hangUp)
    this.#options.signal?.removeEventListener('abort', this.#end)
  }

  #heard(): void {
    if (this.#ended.signal.aborted) return
    const now = performance.now()
    this.#quiet.heard(now)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#next(), this.#quiet.waitMs(now)!)
    this.#timer.unref()
  }

  #next(): Promise<void> {
    this.#rounds = this.#rounds.then(() => this.#round())
    return this.#rounds
  }

  async #round(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#quiet.taken()
    clearTimeout(this.#timer)
    const before = await this.#files.look()
    if (before.signature === this.#signature && !this.#isAsked) return
    const inputs = await this.#read()
    const print = 'entries' in inputs ? await this.#printOf(inputs.entries) : undefined
    const after = await this.#files.look()
    if (this.#ended.signal.aborted) return
    const isSteady = after.signature === before.signature
    if (!isSteady && this.#unsteady < this.#limits.unsteadyAtMost) {
      // It was read while it was written.
      this.#unsteady += 1
      this.#heard()
      return
    }
    this.#unsteady = 0
    // Looked at again, where the next look might not tell.
    this.#signature = before.isFresh ? undefined : before.signature
    const isAsked = this.#isAsked
    this.#isAsked = false
    if ('problems' in inputs) this.#refuse(inputs.problems, isAsked)
    else this.#take(inputs.entries, print!, isAsked)
    if (!isSteady || before.isFresh) this.#heard()
  }

  async #read(): Promise<Inputs<Entry>> {
    try {
      const inputs = await this.#options.read(this.#ended.signal)
      const isEmpty = 'entries' in inputs && inputs.entries.length === 0
      // A file that is being written is empty for a moment, and nobody watches nothing.
      return isEmpty ? { problems: [{ message: 'there is no target in the input' }] } : inputs
    } catch (error) {
      return { problems: [{ message: (error as Error).message }] }
    }
  }

  #take(entries: readonly Entry[], print: string, isAsked: boolean): void {
    const { apply, say } = this.#options
    if (print === this.#print) {
      const wasBad = this.#faults !== undefined
      this.#faults = undefined
      if (wasBad || isAsked) say(`the list was read again and has not changed: ${targets(this.#count)}`)
      return
    }
    try {
      apply(entries)
    } catch (error) {
      this.#refuse([{ message: (error as Error).message }], isAsked)
      return
    }
    this.#faults = undefined
    this.#print = print
    this.#count = entries.length
    say(`the list was read again: ${targets(entries.length)}`)
  }

  #refuse(problems: readonly Fault[], isAsked: boolean): void {
    const { say } = this.#options
    const told = problems.slice(0, this.#limits.problemsTold).map(wordsOf)
    const faults = `${problems.length}\n${told.join('\n')}`
    if (faults === this.#faults && !isAsked) return
    this.#faults = faults
    for (const words of told) say(words)
    const more = problems.length - this.#limits.problemsTold
    if (more > 0) say(`and ${more} more ${more === 1 ? 'problem' : 'problems'}`)
    say('the list was not read again: the old one stays. Correct that, and it is read by itself')
  }

  /** In slices: a long list must not hold the checks up. */
  async #printOf(entries: readonly Entry[]): Promise<string> {
    if (this.#print === undefined && this.#options.current) {
      this.#count = this.#options.current.length
      this.#print = await this.#hashOf(this.#options.current)
    }
    return this.#hashOf(entries)
  }

  async #hashOf(entries: readonly Entry[]): Promise<string> {
    const { keyOf = textOf } = this.#options
    const hash = createHash('sha256')
    for (const [index, entry] of entries.entries()) {
      if (index % this.#limits.entriesPerSlice === 0) await turn()
      const key = keyOf(entry)
      hash.update(`${key.length}:`).update(key)
    }
    return hash.digest('hex')
  }
}

function textOf(entry: unknown): string {
  try {
    return JSON.stringify(entry, (_, value) => (value instanceof RegExp ? { pattern: String(value) } : value))
  } catch {
    return inspect(entry, { depth: 10 })
  }
}

const targets = (count: number): string => `${count} ${count === 1 ? 'target' : 'targets'}`

/** `targets.json:3:17: expected a port`. */
function wordsOf({ file, line, column, message }: Fault): string {
  const place = [file, line, column].filter((each) => each !== undefined).join(':')
  return printable(place === '' ? message : `${place}: ${message}`)
}
