/** The hosts file: names to numeric addresses, read again when the file has changed. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

import { endpointOf } from './core/address.js'
import { classify } from './core/errno.js'

/** Large block lists have some 6 MB. What lies beyond is not read. */
const bytesAtMost = 16 * 1024 * 1024

/**
 * One file and what it said when last read. A look-up stats the file and reads it only if it has become another:
 * synchronously, for it is local, small, and read once.
 */
export class HostsFile {
  readonly #path: string
  #version = ''
  #addresses: ReadonlyMap<string, readonly string[]> = new Map()
  /** Why it could not be read just now: a lack on this side, which says nothing of what is in it. */
  #unread: NodeJS.ErrnoException | undefined

  constructor(path = '/etc/hosts') {
    this.#path = path
  }

  /**
   * Addresses in the file's order, empty where it does not know the name. A file that is not there, or not for us to
   * read, knows none; while this machine is out of what it takes to read it, it knows what it knew.
   * @throws what kept it from being read then, for a name that it did not know.
   */
  lookup(name: string): readonly string[] {
    this.#refresh()
    const known = this.#addresses.get(normalise(name))
    if (!known && this.#unread) throw this.#unread
    return known ?? []
  }

  #refresh(): void {
    this.#unread = undefined
    try {
      const { ino, size, mtimeNs } = statSync(this.#path, { bigint: true })
      const version = `${ino} ${size} ${mtimeNs}`
      if (version === this.#version) return
      this.#addresses = parseHosts(read(this.#path, Math.min(Number(size), bytesAtMost)))
      this.#version = version
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (classify(code) === 'local') {
        this.#unread = error as NodeJS.ErrnoException
        return
      }
      this.#addresses = new Map()
      this.#version = ''
    }
  }
}

/** Hostnames are told apart without case, and without the dot that ends a full one. */
export function normalise(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** Lines of an address and its names, `#` to the end a comment. Addresses that are not numeric are passed over. */
export function parseHosts(text: string): Map<string, string[]> {
  const addresses = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/s, '').trim().split(/\s+/)
    if (!address || !endpointOf(address, 0)) continue
    for (const name of names) {
      const key = normalise(name)
      const known = addresses.get(key)
      if (!known) addresses.set(key, [address])
      else if (!known.includes(address)) known.push(address)
    }
  }
  return addresses
}

function read(path: string, size: number): string {
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
