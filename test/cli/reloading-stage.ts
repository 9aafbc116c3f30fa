/** Inputs that are read again, from files in a folder of their own, as a table of tests needs them. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { type Fault, type Reloading, type ReloadingOptions, reloading } from '#internal/cli/watch/reloading'
import { held } from '../support/counts.js'

/** Not a speed limit. */
export const soon = { timeout: 10_000 }
export const fast = { quietMs: 30, atMostMs: 300, pollMs: 20, slowPollMs: 60_000 }

/** A list of targets, one a line; `bad` is a word that is wrong. It begins as `a:1`, which is in use. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'cancelpoint-reload-'))
  readonly file = join(this.folder, 'targets')
  readonly said: string[] = []
  readonly applied: string[][] = []
  reads = 0
  #reloader: Reloading | undefined

  constructor() {
    this.put('a:1\n')
  }

  begin(files: readonly string[] = [this.file], more: Partial<ReloadingOptions<string>> = {}): Reloading {
    const { limits, ...options } = more
    this.#reloader = reloading<string>({
      files,
      read: () => this.read(files),
      apply: (entries) => this.applied.push([...entries]),
      say: (line) => this.said.push(line),
      current: ['a:1'],
      limits: { ...fast, ...limits },
      ...options,
    })
    return this.#reloader
  }

  async read(files: readonly string[]): Promise<{ entries: string[] } | { problems: Fault[] }> {
    this.reads += 1
    const entries: string[] = []
    const problems: Fault[] = []
    for (const file of files) {
      const lines = (await readFile(file, 'utf8')).split('\n')
      for (const [index, text] of lines.entries()) {
        const column = text.indexOf('bad') + 1
        if (column > 0) problems.push({ file, line: index + 1, column, message: 'expected no bad word' })
        else if (text !== '') entries.push(text)
      }
    }
    return problems.length > 0 ? { problems } : { entries }
  }

  put(text: string, path = this.file): void {
    writeFileSync(path, text)
  }

  replaceBy(text: string, path = this.file): void {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }

  get last(): string[] | undefined {
    return this.applied.at(-1)
  }

  /** What was to be noticed has been by then. */
  async settled(): Promise<void> {
    await wait(150)
    await this.#reloader?.ready
  }

  async end(): Promise<void> {
    await this.#reloader?.[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A new one for each test. After each, nothing of it is left. */
export function useStage(): () => Stage {
  let stage: Stage
  let before: ReturnType<typeof held>
  beforeAll(async () => {
    // The kernel's watch is opened once and stays.
    const first = new Stage()
    await first.begin().ready
    await first.end()
    // What Node.js opened to load all this is closed by then.
    await wait(100)
  })
  beforeEach(() => {
    before = held()
    stage = new Stage()
  })
  afterEach(async () => {
    await stage.end()
    expect(process.listenerCount('SIGHUP')).toBe(0)
    await expect.poll(held, soon).toEqual(before)
  })
  return () => stage
}
