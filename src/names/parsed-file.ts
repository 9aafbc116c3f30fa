/** A small file of this machine's, read again when it has changed. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

import { classOf } from '../core/errno.js'
import { ConnectError, type ConnectErrorOptions } from '../errors/connect-error.js'

/** Large block lists in hosts files have some 6 MB. What lies beyond is not read. */
const bytesAtMost = 16 * 1024 * 1024

/**
 * One file and what it said when last read. A look stats the file and reads it only if it has become another:
 * synchronously, for it is local, small, and read once.
 */
export class ParsedFile<T> {
  readonly #path: string
  readonly #parse: (text: string) => T
  #version = ''
  #said: T

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path
    this.#parse = parse
    this.#said = parse('')
  }

  /**
   * The file's content. A file that does not exist or may not be read is empty. While this machine lacks the means to
   * read it (descriptors, memory), the last content is given, and `lack` is the error that says why it may be old.
   */
  read(): { said: T; lack?: NodeJS.ErrnoException } {
    try {
      const { ino, size, mtimeNs } = statSync(this.#path, { bigint: true })
      const version = `${ino} ${size} ${mtimeNs}`
      if (version === this.#version) return { said: this.#said }
      this.#said = this.#parse(textOf(this.#path, Math.min(Number(size), bytesAtMost)))
      this.#version = version
    } catch (error) {
      const lack = error as NodeJS.ErrnoException
      if (classOf(lack.code ?? '') === 'local') return { said: this.#said, lack }
      this.#said = this.#parse('')
      this.#version = ''
    }
    return { said: this.#said }
  }
}

function textOf(path: string, size: number): string {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(size)
    let length = 0
    for (let more = 1; more > 0 && length < size; length += more)
      more = readSync(fd, buffer, length, size - length, length)
    return buffer.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

/** Runs `read`. A file that this machine could not read is an error of class `local`, not a file without the entry. */
export function readable<T>(whose: Pick<ConnectErrorOptions, 'hostname' | 'endpoint'>, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const { code = 'EIO', syscall = 'open' } = error as NodeJS.ErrnoException
    throw new ConnectError({ ...whose, code, syscall, errnoClass: 'local', cause: error })
  }
}
