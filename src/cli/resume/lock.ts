/**
 * One process a journal: a file beside it, made by nobody but the first, says whose it is. It is left behind where its process is
 * killed, and known then: a process is told from another with its number by when it started.
 */
import { closeSync, linkSync, openSync, readFileSync, readlinkSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'

import { printable } from '../../core/text.js'
import { UsageError } from '../exit-code.js'
import { reasonOf } from '../input/entry.js'

interface Owner {
  pid: number
  /** Clock ticks after the machine's start. */
  started: string
  host: string
  /** Of the machine's last start. */
  boot: string
  /** Numbers of processes mean something in one namespace alone. */
  namespace: string
}

export interface Lock {
  release(): void
}

const takeovers = 20
const pauseMs = 50

/** @throws UsageError where another process has it, or where it cannot be made. */
export async function lock(file: string): Promise<Lock> {
  const path = `${file}.lock`
  const owner = JSON.stringify(ownerOf(process.pid))
  for (let empty = 0; ; ) {
    if (made(path, owner)) return held(path, owner)
    const text = textOf(path)
    if (text === undefined) continue
    // Its process is just writing it, or was killed before it could.
    if (text === '' && empty++ < takeovers) await wait(pauseMs)
    else if (mayLive(text)) throw new UsageError(refusal(file, path, text))
    else takeAway(path, text)
  }
}

/** False where there is one. */
function made(path: string, owner: string): boolean {
  let fd: number | undefined
  try {
    fd = openSync(path, 'wx', 0o644)
    writeSync(fd, owner)
    return true
  } catch (error) {
    if (fd === undefined && (error as NodeJS.ErrnoException).code === 'EEXIST') return false
    if (fd !== undefined) unlinkSync(path)
    throw new UsageError(
      `${printable(path)} cannot be written, by which one process has the journal: ${reasonOf(error)}`,
    )
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function held(path: string, owner: string): Lock {
  const release = () => {
    process.off('exit', release)
    if (textOf(path) === owner) unlinkSync(path)
  }
  process.on('exit', release)
  return { release }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError(`${printable(path)} cannot be read: ${reasonOf(error)}`)
  }
}

/** Of several that find it stale one takes it. Who finds that it took a new one instead gives that back. */
function takeAway(path: string, stale: string): void {
  const moved = `${path}.${process.pid}`
  try {
    renameSync(path, moved)
    if (textOf(moved) !== stale) linkSync(moved, path)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code!)) throw error
  }
  try {
    unlinkSync(moved)
  } catch {
    // Another took it away.
  }
}

/** Where nobody here can know, it may. */
function mayLive(text: string): boolean {
  const owner = read(text)
  if (!owner) return false
  const here = ownerOf(process.pid)
  if (owner.host !== here.host) return true
  if (owner.boot !== here.boot) return false
  if (owner.namespace !== here.namespace) return true
  return startOf(owner.pid) === owner.started
}

/** Undefined for what no process of ours has written whole. */
function read(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner
    return Number.isSafeInteger(owner.pid) && typeof owner.host === 'string' ? owner : undefined
  } catch {
    return undefined
  }
}

function ownerOf(pid: number): Owner {
  return {
    pid,
    started: startOf(pid),
    host: hostname(),
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/pid'),
  }
}

/** Empty where there is no such process. The name before it is in parentheses, and may have some itself. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended, and waits for its parent to hear of it.
    return fields[0] === 'Z' ? '' : fields[19]!
  } catch {
    return ''
  }
}

function refusal(file: string, path: string, text: string): string {
  const { pid, host } = read(text)!
  const where = host === hostname() ? '' : ` on ${host}`
  return printable(
    `${file} is in use: process ${pid}${where} writes its results there. Wait for it, or give another file; where that process has ended, remove ${path}`,
  )
}
