/** One file that grows by whole lines: what could not be written whole is taken back. */
import { type FileHandle, open } from 'node:fs/promises'

export class Journal {
  readonly #handle: FileHandle
  #size = 0

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** A new file. @throws EEXIST where there is one. */
  static async create(path: string, mode: number | undefined): Promise<Journal> {
    const handle = await open(path, 'wx', mode)
    try {
      // Beyond what the umask leaves.
      if (mode !== undefined) await handle.chmod(mode)
    } catch (error) {
      await handle.close()
      throw error
    }
    return new Journal(handle)
  }

  /** Of whole lines. Bytes. */
  get size(): number {
    return this.#size
  }

  /** @throws where not all of it could be written; then none of it is in the file, as far as the disk allows. */
  async append(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    try {
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, this.#size + written)
        written += bytesWritten
      }
    } catch (error) {
      await this.#handle.truncate(this.#size).catch(() => {})
      throw error
    }
    this.#size += bytes.length
  }

  /** Resolves once the disk has it. */
  sync(): Promise<void> {
    return this.#handle.sync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
