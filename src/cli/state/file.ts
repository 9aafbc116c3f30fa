/**
 * `--state FILE`: what a watch knows, kept across restarts and SIGKILL. Each change is a line that is appended as it comes; now and then
 * all is written anew beside it and renamed over it.
 *
 * A line that write(2) has taken survives the end of the process, whatever ends it. It is not flushed to the disk: a crash of the
 * machine may lose the last seconds, and checks find out again. The file that is renamed is flushed before, and its folder
 * after, so that a crash leaves the old file or the new one.
 */
import { open, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { clearTimeout, setTimeout } from '../../core/clock.js'
import * as limits from '../../core/limits.js'
import { headerLine, type SavedState, stateLine } from '../../core/state-lines.js'
import { printable } from '../../core/text.js'
import type { HealthChange, TargetHealth } from '../../types.js'
import { UsageError } from '../exit-code.js'
import { reasonOf } from '../input/entry.js'
import { Journal } from './journal.js'
import { type Lock, lockFile } from './lock.js'
import { readStates, setAside } from './reading.js'

export { loadStates } from './reading.js'

export interface StateFileOptions {
  /** Told what people should know, a line each. */
  say?: ((line: string) => void) | undefined
  /** Of core/limits, those that are to be others. */
  limits?: Partial<typeof limits.stateFile> | undefined
}

type Known = Pick<TargetHealth, 'target' | 'labels' | 'state' | 'since'>

export class StateFile implements AsyncDisposable {
  readonly #path: string
  readonly #lock: Lock
  readonly #mode: number | undefined
  readonly #tellPeople: (line: string) => void
  readonly #limits: typeof limits.stateFile
  /** What was read: for `WatchOptions.states`. Empty once a watch is followed. */
  states: readonly SavedState[]
  #health: () => Iterable<Known> = () => this.states
  #journal: Journal | undefined
  #waiting: string[] = []
  #waitingBytes = 0
  /** What is in the file and what waits do not tell all. */
  #isIncomplete = true
  /** The size at which it is written anew. */
  #rewriteAt = 0
  #working: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  /** In a row. */
  #failures = 0
  #closed: Promise<void> | undefined

  private constructor(
    path: string,
    lock: Lock,
    states: SavedState[],
    mode: number | undefined,
    options: StateFileOptions,
  ) {
    this.#path = path
    this.#lock = lock
    this.#mode = mode
    this.states = states
    this.#tellPeople = options.say ?? (() => {})
    this.#limits = { ...limits.stateFile, ...options.limits }
  }

  /**
   * Locks it, reads it and writes it anew, so that what cannot be written is known at once.
   * @throws UsageError for a file that is in use, that is no file of states or of an unknown version; the error of a system call
   */
  static async open(given: string, options: StateFileOptions = {}): Promise<StateFile> {
    const path = await realPath(given)
    const lock = await lockFile(path)
    if (!lock)
      throw new UsageError(`${printable(given)} is in use by another process: end it, or give --state another path`)
    try {
      const { states, damage, mode } = await readStates(path)
      const file = new StateFile(path, lock, states, mode, options)
      const aside = damage === undefined ? undefined : await setAside(path, new Date())
      await file.#rewrite().catch((error) => {
        // A watch that is to go on while the disk is full is to begin while it is full too.
        if (!outOfRoom.has(error.code)) throw error
        file.#failed(error)
      })
      const kept = `${states.length} ${states.length === 1 ? 'state' : 'states'}`
      if (aside) file.#say(`${damage}; it is kept as ${aside}, and the ${kept} that can be read are used`)
      return file
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** From now on this is who knows. Before the first change is noted. */
  follow(watch: { health(): Iterable<Known> }): void {
    this.#health = () => watch.health()
    this.states = []
  }

  /** Takes the change in, and returns at once. */
  note({ target, labels, to: state, at: since }: Pick<HealthChange, 'target' | 'labels' | 'to' | 'at'>): void {
    const line = stateLine({ target, labels, state, since })
    if (line === undefined || this.#closed) return
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    if (this.#waitingBytes > this.#limits.waitingBytes) {
      this.#dropWaiting()
      this.#isIncomplete = true
    }
    if (this.#failures === 0) this.#work()
  }

  /** Resolves once what was noted is in the file, or cannot be written for now. */
  async flushed(): Promise<void> {
    await this.#working
  }

  /** Writes all anew, and gives the file free. Idempotent. Never rejects: what could not be written is said. */
  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #finish(): Promise<void> {
    clearTimeout(this.#retry)
    await this.#working
    try {
      await this.#rewrite()
    } catch (error) {
      this.#say(`what changed last is not in it: ${reasonOf(error)}`)
    }
    await this.#journal?.close().catch(() => {})
    await this.#lock.release()
  }

  #work(): void {
    this.#working ??= this.#writeAll().finally(() => {
      this.#working = undefined
    })
  }

  /** Also what comes meanwhile. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0 || this.#isIncomplete) {
        // After a failure the other way may work: an append takes less room, and a new file is another file.
        if (this.#isIncomplete || !this.#journal || this.#failures % 2 === 1) await this.#rewrite()
        else await this.#append([this.#journal])
        if (this.#failures > 0) this.#say('it is written again')
        this.#failures = 0
        if (this.#journal!.size > this.#rewriteAt) await this.#rewrite()
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (this.#failures === 0)
      this.#say(`it cannot be written: ${reasonOf(error)}; the watch goes on, and it is tried again`)
    this.#failures += 1
    // A file that could not be written anew goes on growing.
    if (this.#journal) this.#rewriteAt = Math.max(this.#rewriteAt, this.#journal.size + this.#limits.growBytes)
    this.#retry = setTimeout(() => this.#closed ?? this.#work(), this.#limits.retryMs)
    this.#retry.unref()
  }

  /** Whether there was something to append. */
  async #append(journals: readonly Journal[]): Promise<boolean> {
    if (this.#waiting.length === 0) return false
    const lines = this.#waiting
    const text = lines.join('')
    this.#dropWaiting()
    try {
      for (const journal of journals) await journal.append(text)
    } catch (error) {
      // A line that comes twice does no harm.
      this.#waiting = [...lines, ...this.#waiting]
      this.#waitingBytes += text.length
      throw error
    }
    return true
  }

  #dropWaiting(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }

  async #rewrite(): Promise<void> {
    const temporary = `${this.#path}.tmp`
    await rm(temporary, { force: true })
    const next = await Journal.create(temporary, this.#mode)
    const before = this.#journal
    // What changes meanwhile goes to both, as long as the old file takes it.
    const both = before && this.#failures === 0 ? [before, next] : [next]
    let isIncomplete = this.#isIncomplete
    this.#isIncomplete = false
    try {
      await next.append(headerLine)
      for (const slice of slicesOf(this.#health(), this.#limits.linesPerSlice)) {
        await next.append(slice)
        const appended = await this.#append(both)
        isIncomplete ||= appended && both.length === 1
      }
      await next.sync()
      await this.#append(both)
      await rename(temporary, this.#path)
    } catch (error) {
      this.#isIncomplete ||= isIncomplete
      await next.close().catch(() => {})
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
    this.#journal = next
    this.#rewriteAt = next.size + Math.max(this.#limits.growBytes, next.size)
    await before?.close().catch(() => {})
    await syncFolder(dirname(this.#path))
  }

  #say(words: string): void {
    this.#tellPeople(printable(`state file ${this.#path}: ${words}`))
  }
}

/** The lines of some states together, made when they are asked for. */
function* slicesOf(health: Iterable<Known>, linesPerSlice: number): Generator<string, void> {
  let slice = ''
  let lines = 0
  for (const each of health) {
    slice += stateLine(each) ?? ''
    lines += 1
    if (lines % linesPerSlice > 0) continue
    yield slice
    slice = ''
  }
  yield slice
}

/** Some file systems cannot, and that is no reason to stop. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r')
    await folder.sync().finally(() => folder.close())
  } catch {}
}

const outOfRoom: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO'])

/** Also of a file that is not there yet. */
async function realPath(given: string): Promise<string> {
  try {
    return await realpath(given)
  } catch {
    return join(await realpath(dirname(given)), basename(given))
  }
}
