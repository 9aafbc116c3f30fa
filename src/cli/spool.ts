/** Text that has to wait until the end: kept in memory while it is short, and in a temporary file that nobody else sees after that. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { UsageError } from './exit-code.js'

/** Bytes that stay in memory, and bytes that are read back at once. */
const heldAtMost = 256 * 1024
const chunkBytes = 64 * 1024

export class Spool implements AsyncDisposable {
  readonly #held: string[] = []
  #heldLength = 0
  #file: FileHandle | undefined

  async add(text: string): Promise<void> {
    this.#held.push(text)
    this.#heldLength += text.length
    if (this.#heldLength > heldAtMost) await this.#toFile()
  }

  /** All of it, in pieces. */
  async *read(): AsyncGenerator<string, void> {
    if (this.#file) {
      await this.#toFile()
      const stream = this.#file.createReadStream({
        start: 0,
        encoding: 'utf8',
        highWaterMark: chunkBytes,
        autoClose: false,
      })
      yield* stream as AsyncIterable<string>
    }
    yield this.#held.join('')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #toFile(): Promise<void> {
    try {
      this.#file ??= await temporaryFile()
      await this.#file.appendFile(this.#held.join(''))
    } catch (error) {
      const said = (error as Error).message
      throw new UsageError(
        `results cannot be kept in ${tmpdir()} until the end: ${said}; TMPDIR names another directory`,
      )
    }
    this.#held.length = 0
    this.#heldLength = 0
  }
}

/** It has no name any more, so nothing is left of it however the process ends. */
async function temporaryFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `cancelpoint-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}
