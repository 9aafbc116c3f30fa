/**
 * Notices that files may have changed, whichever way they are written. The folders are watched, not the files: an editor puts another
 * file in the place of the old one, and Kubernetes another link. A folder that other programs write to as well costs a
 * look at each file, and no more.
 */
import { type FSWatcher, watch as watchWithKernel } from 'node:fs'
import { readlink, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { clearTimeout, epochMs, setTimeout } from '../../core/clock.js'

export type WatchFolder = (folder: string, heard: () => void) => FSWatcher

const withKernel: WatchFolder = (folder, heard) => watchWithKernel(folder, { persistent: false }, heard)

export interface FileWatchOptions {
  /** Called when something has happened near a file. It may have been something else. */
  heard: () => void
  /** How often it is looked where the kernel does not tell, and where it does. Milliseconds. */
  pollMs: number
  slowPollMs: number
  watchFolder?: WatchFolder | undefined
}

export interface Look {
  /** Another one says that a file has changed. */
  readonly signature: string
  /** A file has changed just now. If it does so once more, the signature may not tell. */
  readonly isFresh: boolean
}

export class FileWatch {
  readonly #files: readonly string[]
  readonly #options: FileWatchOptions
  readonly #watchers = new Map<string, FSWatcher>()
  #poll: NodeJS.Timeout | undefined
  #isBlind = false
  #isClosed = false

  /** Nothing is watched before the first look. */
  constructor(files: readonly string[], options: FileWatchOptions) {
    this.#files = files.map((file) => resolve(file))
    this.#options = options
  }

  /** Sees to it that all that matters is watched, and tells how the files are now. */
  async look(): Promise<Look> {
    // First the watching: what changes after the look is heard.
    await this.#watchAll()
    const looks = await Promise.all(this.#files.map(lookAt))
    this.#arm()
    return {
      signature: looks.map(({ signature }) => signature).join('\n'),
      isFresh: looks.some(({ isFresh }) => isFresh),
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#poll)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #watchAll(): Promise<void> {
    const wanted = new Set<string>()
    for (const file of this.#files) for (const folder of await foldersOf(file)) wanted.add(await identified(folder))
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue
      watcher.close()
      this.#watchers.delete(key)
    }
    this.#isBlind = false
    for (const key of wanted) if (!this.#watchers.has(key) && !this.#isClosed) this.#watch(key)
  }

  #watch(key: string): void {
    const { heard, watchFolder = withKernel } = this.#options
    try {
      const watcher = watchFolder(key.slice(key.indexOf('/')), heard)
      this.#watchers.set(key, watcher)
      watcher.on('error', () => {
        watcher.close()
        if (this.#watchers.get(key) === watcher) this.#watchers.delete(key)
        heard()
      })
    } catch {
      // No more watches are to be had, or the folder has just gone.
      this.#isBlind = true
    }
  }

  #arm(): void {
    clearTimeout(this.#poll)
    if (this.#isClosed) return
    const { pollMs, slowPollMs, heard } = this.#options
    this.#poll = setTimeout(heard, this.#isBlind ? pollMs : slowPollMs)
    this.#poll.unref()
  }
}

/** A folder that was made anew at the same path is another. The path begins at the first slash. */
async function identified(folder: string): Promise<string> {
  const status = await stat(folder).catch(() => undefined)
  return `${status?.dev}:${status?.ino}:${folder}`
}

/** The kernel's times of files go in steps of some milliseconds: a file may change twice in one. */
const stepMs = 50

async function lookAt(file: string): Promise<Look> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(file, { bigint: true })
    const isFresh = Math.abs(epochMs() - Number(ctimeMs)) < stepMs
    return { signature: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, isFresh }
  } catch (error) {
    return { signature: String((error as NodeJS.ErrnoException).code), isFresh: false }
  }
}

const linksAtMost = 40

/**
 * The folders in which something happens when another file comes to stand at `path`: those of the file itself and of each link on the
 * way to it. Where a part is missing, the folder that it is missing in.
 */
export async function foldersOf(path: string): Promise<ReadonlySet<string>> {
  const folders = new Set<string>()
  let rest = partsOf(path)
  let at = '/'
  for (let links = 0; rest.length > 0 && links < linksAtMost; ) {
    const [name, ...more] = rest as [string, ...string[]]
    rest = more
    if (name === '..') {
      at = dirname(at)
      continue
    }
    const full = join(at, name)
    const link = await linkAt(full)
    if (link === undefined || typeof link === 'string' || rest.length === 0) folders.add(at)
    if (link === undefined) break
    if (link === false) at = full
    else {
      links += 1
      rest = [...partsOf(link), ...rest]
      if (link.startsWith('/')) at = '/'
    }
  }
  return folders
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')

/** What it links to; false where it is no link; undefined where it is not there or cannot be looked at. */
async function linkAt(path: string): Promise<string | false | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EINVAL' ? false : undefined
  }
}
