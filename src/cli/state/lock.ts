/**
 * One process at a time for one file. The lock is a listening AF_UNIX socket beside it: it ends with its process, however that ends,
 * and a process of another container that shares the folder finds it too. A file with a process id in it does neither.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Other namespaces may be taking over a lock that was left behind. */
const triesAtMost = 20
/** A turn takes some milliseconds. Who holds one for longer does so to hinder others, and is not waited for. */
const turnTriesAtMost = 100
const turnWaitMs = 20
/** A socket's path has 107 bytes, and the folder's is not part of ours: see below. */
const nameAtMost = 70

export interface Lock {
  /** Idempotent. */
  release(): Promise<void>
}

/**
 * `path` is the file's, and its folder is there. Undefined where another process has the lock.
 * @throws the error of the system call that failed
 */
export async function lockFile(path: string): Promise<Lock | undefined> {
  const directory = dirname(path)
  const handle = await open(directory, 'r')
  const server = net.createServer((socket) => socket.destroy()).unref()
  const own = `.lock-${randomBytes(8).toString('hex')}`
  try {
    await listen(server, placeIn(handle, own))
    const name = lockName(path)
    if (await inTurn(handle, name, () => take(handle, directory, own, name)))
      return lockOf(server, handle, join(directory, name))
  } catch (error) {
    await end(server, handle)
    if (!withoutSockets.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    return lockAbstract(path)
  }
  await end(server, handle)
  return undefined
}

/** Through the open folder: its own path may be too long for a socket's. */
const placeIn = (directory: FileHandle, name: string): string => `/proc/self/fd/${directory.fd}/${name}`

function lockName(path: string): string {
  const name = `${basename(path)}.lock`
  return Buffer.byteLength(name) <= nameAtMost ? name : `.${hashOf(path)}.lock`
}

const hashOf = (path: string): string => createHash('sha256').update(path).digest('hex').slice(0, 32)

async function listen(server: net.Server, path: string): Promise<void> {
  server.listen({ path, exclusive: true })
  await once(server, 'listening')
}

/** Our socket, which listens already, gets the lock's name, where no other that listens has it. */
async function take(handle: FileHandle, directory: string, own: string, name: string): Promise<boolean> {
  const [from, to] = [join(directory, own), join(directory, name)]
  try {
    for (let tries = 0; tries < triesAtMost; tries += 1) {
      try {
        await link(from, to)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (await listens(placeIn(handle, name))) return false
      await removeDead(handle, directory, name, `${own}-dead`)
    }
    return false
  } finally {
    await unlink(from).catch(() => {})
  }
}

/**
 * One at a time looks whether a lock was left behind, and removes it: otherwise one would remove what another has just taken. The
 * turn is a name without a file, of this network namespace.
 */
async function inTurn<T>(handle: FileHandle, name: string, work: () => Promise<T>): Promise<T> {
  const { dev, ino } = await handle.stat()
  const place = `\0cancelpoint-turn-${hashOf(`${dev}:${ino}:${name}`)}`
  let turn: net.Server | undefined
  try {
    for (let tries = 0; tries < turnTriesAtMost && !turn; tries += 1) {
      turn = await listenAt(place)
      if (!turn) await wait(turnWaitMs)
    }
  } catch {
    // Where there are no such names, it goes without.
  }
  try {
    return await work()
  } finally {
    if (turn) await end(turn, undefined)
  }
}

/** Undefined where another listens. */
async function listenAt(place: string): Promise<net.Server | undefined> {
  const server = net.createServer((socket) => socket.destroy()).unref()
  try {
    await listen(server, place)
    return server
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
}

/** By a name of its own, so that one that was put there in the meantime can be put back. */
async function removeDead(handle: FileHandle, directory: string, name: string, aside: string): Promise<void> {
  const [from, to] = [join(directory, name), join(directory, aside)]
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return
  }
  if (await listens(placeIn(handle, aside))) await link(to, from).catch(() => {})
  await unlink(to)
}

/** Whether a process listens there. What is no socket, or may not be connected to, is somebody's too. */
async function listens(path: string): Promise<boolean> {
  const socket = net.connect({ path })
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !['ECONNREFUSED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')
  } finally {
    socket.destroy()
  }
}

function lockOf(server: net.Server, handle: FileHandle | undefined, path: string | undefined): Lock {
  let released: Promise<void> | undefined
  const release = async () => {
    if (path !== undefined) await unlink(path).catch(() => {})
    await end(server, handle)
  }
  return {
    release() {
      released ??= release()
      return released
    },
  }
}

async function end(server: net.Server, handle: FileHandle | undefined): Promise<void> {
  if (server.listening) {
    server.close()
    await once(server, 'close')
  }
  await handle?.close()
}

/** What file systems say that have no sockets or no links, or no room. */
const withoutSockets: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'ENOSPC',
  'EDQUOT',
])

/** Where the folder takes no socket: a name without a file, which processes of one network namespace share. */
export async function lockAbstract(path: string): Promise<Lock | undefined> {
  const server = await listenAt(`\0cancelpoint-state-${hashOf(path)}`)
  return server && lockOf(server, undefined, undefined)
}
