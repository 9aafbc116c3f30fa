/** A file of states, read: what is known, and what of it is damaged. Nothing is written here but a second name for a damaged file. */
import { createReadStream } from 'node:fs'
import { constants, copyFile, link, open, stat } from 'node:fs/promises'
import * as limits from '../../core/limits.js'
import { headerLine, readStateLine, type SavedState, stateVersion } from '../../core/state-lines.js'
import { keyOf } from '../../core/target-key.js'
import { printable } from '../../core/text.js'
import { UsageError } from '../exit-code.js'
import { linesOf, textOf } from '../lines.js'

export interface ReadStates {
  states: SavedState[]
  /** What is wrong with it, as a clause. */
  damage: string | undefined
  /** Permission bits; undefined where there is no such file. */
  mode: number | undefined
}

/**
 * What `WatchOptions.states` takes. Nothing where there is no such file, and of a damaged one what can be read.
 * @throws UsageError for what is no file of states, or one of a version that is not known; the error of a system call
 */
export async function loadStates(path: string): Promise<SavedState[]> {
  return (await readStates(path)).states
}

/** @throws as loadStates does */
export async function readStates(path: string): Promise<ReadStates> {
  const status = await stat(path).catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!status) return { states: [], damage: undefined, mode: undefined }
  if (!status.isFile()) throw new UsageError(`${printable(path)} is no regular file: give --state the path of a file`)
  const mode = status.mode & 0o777
  if (status.size === 0) return { states: [], damage: undefined, mode }
  const { states, damaged, firstDamaged, hasHeader } = await readLines(path)
  if (!hasHeader && states.size === 0 && !(await isRestOfOne(path))) {
    throw new UsageError(foreign(path))
  }
  const damage = damageOf(damaged, firstDamaged, hasHeader)
  return { states: [...states.values()], damage, mode }
}

function damageOf(damaged: number, firstDamaged: number, hasHeader: boolean): string | undefined {
  if (damaged > 0) return `line ${firstDamaged} is damaged${damaged > 1 ? `, and ${damaged - 1} more` : ''}`
  return hasHeader ? undefined : 'its first line is missing'
}

async function readLines(path: string) {
  const states = new Map<string, SavedState>()
  let [number, damaged, firstDamaged] = [0, 0, 0]
  let hasHeader = false
  const take = (text: string | undefined) => {
    number += 1
    const line = text === undefined ? undefined : readStateLine(text)
    if (line?.kind === 'header') {
      if (line.version !== stateVersion) throw new UsageError(unknownVersion(path, line.version))
      hasHeader = true
    } else if (line?.kind === 'state') {
      const { state } = line
      const key = keyOf(state.target, state.labels)
      if (states.size < limits.stateFile.targetsAtMost || states.has(key)) states.set(key, state)
    } else {
      damaged += 1
      firstDamaged ||= number
    }
  }
  const stream = createReadStream(path)
  try {
    for await (const lines of linesOf(textOf(stream))) for (const text of lines) take(text)
  } catch (error) {
    if (error instanceof UsageError || (error as NodeJS.ErrnoException).syscall) throw error
    throw new UsageError(foreign(path))
  } finally {
    stream.destroy()
  }
  return { states, damaged, firstDamaged, hasHeader }
}

const foreign = (path: string): string =>
  `${printable(path)} is not a file of states, and stays as it is: give --state another path`

const unknownVersion = (path: string, version: unknown): string =>
  `${printable(path)} is a file of states of version ${JSON.stringify(version)}, and this program knows version ${stateVersion}: ` +
  'use the program that wrote it, or give --state another path'

/** What a crash of the machine may leave: nothing but zeros, or the beginning of the header. */
async function isRestOfOne(path: string): Promise<boolean> {
  const handle = await open(path)
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4_096), 0, 4_096, 0)
    const start = buffer.subarray(0, bytesRead)
    return start.every((byte) => byte === 0) || headerLine.startsWith(start.toString('latin1'))
  } finally {
    await handle.close()
  }
}

/** A second name for it, so that there is a file of states at any moment. Gives that name. */
export async function setAside(path: string, at: Date): Promise<string> {
  const time = at.toISOString().replace(/[:.]/g, '-')
  for (let count = 1; ; count += 1) {
    const aside = `${path}.damaged-${time}${count === 1 ? '' : `-${count}`}`
    try {
      await link(path, aside).catch((error) => {
        if (error.code === 'EEXIST') throw error
        // A file system without links.
        return copyFile(path, aside, constants.COPYFILE_EXCL)
      })
      return aside
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
