import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionManager, Descriptor, ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-descriptor-'))

afterAll(() => rmSync(directory, { recursive: true }))

const gone = /the descriptor is gone/
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000

/** Of an open descriptor, as the kernel has them. */
function flagsOf(fd: number): number {
  return Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8)
}

const isOpen = (fd: number) => !(binding.isNonblocking(fd) < 0)

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())

  describe('an opened descriptor', () => {
    it.each(['TCP', 'AF_UNIX'])('is nonblocking and close-on-exec: %s', async (family) => {
      const path = join(directory, 'socket')
      const server = net.createServer().listen(path)
      await once(server, 'listening')
      const descriptor = await manager.open(family === 'TCP' ? targets.accept : { path })
      const flags = flagsOf(descriptor.fd)
      expect(flags & O_NONBLOCK).toBe(O_NONBLOCK)
      expect(flags & O_CLOEXEC).toBe(O_CLOEXEC)
      descriptor.close()
      server.close()
      await once(server, 'close')
    })

    it('is counted until it is closed; close is idempotent, and the rest throws afterwards', async () => {
      const before = held()
      const descriptor = await manager.open(targets.accept)
      const { fd } = descriptor
      expect(descriptor).toBeInstanceOf(Descriptor)
      expect(held()).toEqual({ ...before, open: before.open + 1, descriptors: before.descriptors + 1 })
      descriptor.close()
      expect(held()).toEqual(before)
      const reused = posix.socket('inet')
      expect(reused).toBe(fd)
      descriptor.close()
      descriptor[Symbol.dispose]()
      expect(isOpen(reused)).toBe(true)
      posix.close(reused)
      expect(descriptor.fd).toBe(-1)
      expect(() => descriptor.adopt()).toThrow(gone)
      expect(() => descriptor.release()).toThrow(gone)
    })

    it('is closed by using', async () => {
      const before = held()
      let fd: number
      {
        using descriptor = await manager.open(targets.accept)
        fd = descriptor.fd
        expect(isOpen(fd)).toBe(true)
      }
      expect(isOpen(fd)).toBe(false)
      expect(held()).toEqual(before)
    })

    it('is the caller’s alone after release', async () => {
      const before = held()
      const descriptor = await manager.open(targets.accept)
      const fd = descriptor.release()
      expect(held()).toEqual({ ...before, open: before.open + 1 })
      expect(descriptor.fd).toBe(-1)
      descriptor.close()
      expect(isOpen(fd)).toBe(true)
      expect(() => descriptor.release()).toThrow(gone)
      posix.close(fd)
    })

    it('becomes a socket by adopt, once', async () => {
      const before = held()
      const descriptor = await manager.open(targets.accept)
      const socket = descriptor.adopt()
      expect(held()).toEqual({ ...before, open: before.open + 1 })
      expect(descriptor.fd).toBe(-1)
      expect(() => descriptor.adopt()).toThrow(gone)
      descriptor.close()
      await new Promise<void>((resolve) => socket.write('still there', () => resolve()))
      await closeSocket(socket)
      expect(held()).toEqual(before)
    })

    it('outlives the manager', async () => {
      const other = await warmManager(targets.accept, { engine })
      const descriptor = await other.open(targets.accept)
      await other.close()
      expect(ledger().descriptors).toBe(1)
      expect(posix.getpeername(descriptor.fd)).toMatchObject({ port: portOf(targets.accept) })
      descriptor.close()
      expect(ledger().descriptors).toBe(0)
    })
  })

  describe('a delivered socket', () => {
    it('knows both its ends, and has not been read from', async () => {
      const socket = await manager.connect(targets.accept)
      expect(socket).toBeInstanceOf(net.Socket)
      expect(socket).toMatchObject({
        connecting: false,
        pending: false,
        readyState: 'open',
        readableFlowing: null,
        remoteAddress: '127.0.0.1',
        remotePort: portOf(targets.accept),
        remoteFamily: 'IPv4',
        localAddress: '127.0.0.1',
      })
      expect(socket.localPort).toBeGreaterThan(0)
      await closeSocket(socket)
    })

    it('loses nothing that was sent before anybody listens', async () => {
      const server = net.createServer((peer) => peer.end('all of it')).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as net.AddressInfo
      const socket = await manager.connect({ host: '127.0.0.1', port })
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(socket.readableFlowing).toBeNull()
      expect(socket.bytesRead).toBe(0)
      let text = ''
      for await (const chunk of socket) text += chunk
      expect(text).toBe('all of it')
      server.close()
    })

    it('emits no error before anybody listens, though the peer has reset', async () => {
      const socket = await manager.connect(targets.reset).catch((error) => error)
      if (socket instanceof Error) return expect(socket).toMatchObject({ code: 'ECONNRESET' })
      await new Promise((resolve) => setTimeout(resolve, 50))
      const error = once(socket, 'close').catch((thrown) => thrown)
      socket.resume()
      expect(await error).toMatchObject({ code: 'ECONNRESET' })
    })

    it('survives manager.close()', async () => {
      const other = await warmManager(targets.accept, { engine })
      const socket = await other.connect(targets.accept)
      await other.close()
      await new Promise<void>((resolve, reject) => socket.write('x', (error) => (error ? reject(error) : resolve())))
      expect(socket.readyState).toBe('open')
      await closeSocket(socket)
    })

    it('may be half open, if asked for', async () => {
      for (const allowHalfOpen of [true, false]) {
        const socket = await manager.connect(targets.accept, { allowHalfOpen, noDelay: true, keepAlive: true })
        expect(socket.allowHalfOpen).toBe(allowHalfOpen)
        await closeSocket(socket)
      }
    })
  })

  describe('the source', () => {
    it('is what was asked for', async () => {
      const socket = await manager.connect(targets.accept, { localAddress: '127.9.8.7' })
      expect(socket.localAddress).toBe('127.9.8.7')
      await closeSocket(socket)
      const probe = net.createServer().listen(0, '127.0.0.1')
      await once(probe, 'listening')
      const { port } = probe.address() as net.AddressInfo
      await new Promise((resolve) => probe.close(resolve))
      const fixed = await manager.connect(targets.accept, { localAddress: '127.0.0.1', localPort: port })
      expect(fixed).toMatchObject({ localAddress: '127.0.0.1', localPort: port })
      fixed.resetAndDestroy()
      await once(fixed, 'close')
    })

    it('is refused where it is no address of this machine, or of the other family', async () => {
      const before = held()
      const call = manager.connect(targets.accept, { localAddress: '192.0.2.1' })
      await expect(call).rejects.toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind', errnoClass: 'misuse' })
      await expect(manager.connect(targets.accept, { localAddress: 'here' })).rejects.toThrow(/localAddress is 'here'/)
      await expect(manager.connect(targets.accept, { localAddress: '::1' })).rejects.toMatchObject({ syscall: 'bind' })
      expect(held()).toEqual(before)
    })
  })
})
