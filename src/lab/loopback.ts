/** The sockets under the lab: bound on loopback, tied to `lo`, with accept queues that can be filled on purpose. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'

import { binding } from '../bridge/binding.js'
import * as posix from '../posix.js'

/** Where a lab listener is reached: a port of any loopback address, or an abstract AF_UNIX name without its `@`. */
export type Place = { port: number } | { name: string }

/** A bound descriptor; the caller owns `fd`. */
export type Bound<P extends Place = Place> = { fd: number; place: P }

/** More SYNs than this in one queue are dropped, and each drop costs its client a second. */
const acceptBacklog = 4096

function must(result: number, call: string): void {
  if (result < 0) throw new Error(`the lab could not set up its listeners: ${call}: ${getSystemErrorName(result)}`)
}

/** A TCP socket on every address of 127/8 and on no other interface. Needs Linux 5.7, or CAP_NET_RAW before it. */
export function bindLoopback(): Bound<{ port: number }> {
  const fd = posix.socket('inet')
  try {
    must(binding.bindToDevice(fd, 'lo'), 'SO_BINDTODEVICE')
    posix.bind(fd, { family: 'inet', address: '0.0.0.0', port: 0 })
    const bound = posix.getsockname(fd)
    if (!('port' in bound)) throw new Error('the lab could not set up its listeners: no port was bound')
    return { fd, place: { port: bound.port } }
  } catch (error) {
    posix.close(fd)
    throw error
  }
}

/** An AF_UNIX socket under a fresh abstract name, which leaves no file behind. */
export function bindAbstract(): Bound<{ name: string }> {
  const name = `cancelpoint-lab-${randomBytes(6).toString('hex')}`
  const fd = posix.socket('unix')
  try {
    posix.bind(fd, { family: 'unix', path: `\0${name}` })
    return { fd, place: { name } }
  } catch (error) {
    posix.close(fd)
    throw error
  }
}

/**
 * Listens with room for one connection and takes that room, so that every later connect waits. The handle gives the
 * connection up; it settles once its descriptor is closed, and may be called again.
 */
export async function listenFull({ fd, place }: Bound): Promise<() => Promise<void>> {
  must(binding.listen(fd, 0), 'listen')
  return 'port' in place ? fillTcp(place.port) : fillUnix(place.name)
}

async function fillTcp(port: number): Promise<() => Promise<void>> {
  const filler = net.connect(port, '127.0.0.1')
  await once(filler, 'connect')
  // Reset when the listener closes with the filler still in its queue: expected.
  filler.on('error', () => {})
  const closed = new Promise<void>((resolve) => filler.once('close', () => resolve()))
  return () => {
    filler.destroy()
    return closed
  }
}

/** Not by node:net, which pads abstract names with NULs before Node 22. */
async function fillUnix(name: string): Promise<() => Promise<void>> {
  let fd = posix.socket('unix')
  const close = async () => {
    if (fd >= 0) posix.close(fd)
    fd = -1
  }
  try {
    // There is room, so this does not wait; and if there is none, it says so.
    posix.setNonblocking(fd, true)
    await posix.connect(fd, { family: 'unix', path: `\0${name}` })
    return close
  } catch (error) {
    await close()
    throw error
  }
}

/** SYNs that a full accept queue made the kernel drop, since the socket was made. */
export function droppedSyns(fd: number): number {
  const drops = binding.listenDrops(fd)
  must(drops, 'SO_MEMINFO')
  return drops
}

/** A server over `fd`, which it owns from now on; the handle closes it and every connection it accepted. */
export async function serve(fd: number, onConnection: (socket: net.Socket) => void): Promise<() => Promise<void>> {
  const accepted = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    accepted.add(socket)
    socket.once('close', () => accepted.delete(socket))
    // Checks close with a reset.
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen({ fd, backlog: acceptBacklog })
  await once(server, 'listening')
  return async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of accepted) socket.destroy()
    await closed
  }
}
