/** What a socket says of itself, and how it ends. */
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { lackingSs, timersOf } from '../../support/ss.js'
import { eventsOf, flowed, type Row, textOf } from './row.js'

export const life: Row[] = [
  {
    it: 'is connected, unread and without a trace of how it was made',
    see: (socket, peer) => ({
      state: [socket.connecting, socket.pending, socket.readyState, socket.destroyed, socket.closed],
      ends: [socket.remoteAddress, socket.remoteFamily, socket.localAddress, socket.localFamily],
      ports: [socket.remotePort === peer.localPort, socket.localPort === peer.remotePort],
      address: { ...socket.address(), port: 0 },
      stream: [socket.readableFlowing, socket.readable, socket.writable, socket.isPaused(), socket.timeout],
      water: [socket.readableHighWaterMark, socket.writableHighWaterMark],
      counts: [socket.bytesRead, socket.bytesWritten, socket.bufferSize],
      listeners: ['data', 'readable', 'end', 'close', 'error', 'timeout'].map((name) => socket.listenerCount(name)),
      kind: socket.constructor === net.Socket,
    }),
    expected: {
      state: [false, false, 'open', false, false],
      ends: ['127.0.0.1', 'IPv4', '127.0.0.1', 'IPv4'],
      ports: [true, true],
      address: { address: '127.0.0.1', family: 'IPv4', port: 0 },
      stream: [null, true, true, false, undefined],
      water: [new net.Socket().readableHighWaterMark, new net.Socket().writableHighWaterMark],
      counts: [0, 0, 0],
      listeners: [0, 0, 1, 0, 0, 0],
      kind: true,
    },
  },
  {
    it: 'has the listeners that were added, and no others',
    see: (socket) => {
      socket.on('close', () => {})
      socket.once('error', () => {})
      const names = socket.eventNames().filter((name) => socket.listenerCount(name) > 0)
      return names.map((name) => `${String(name)} ${socket.listenerCount(name)}`).sort()
    },
    expected: ['close 1', 'end 1', 'error 1'],
  },
  {
    it: 'takes noDelay and keepAlive, as options and later',
    options: { noDelay: true, keepAlive: true },
    lacking: lackingSs,
    see: (socket) => {
      const asked = timersOf(socket)
      const off = socket.setKeepAlive(false) === socket && timersOf(socket)
      const on = socket.setNoDelay(false).setKeepAlive(true, 60_000) === socket && timersOf(socket)
      return [asked, off, on]
    },
    expected: [['keepalive'], [], ['keepalive']],
  },
  {
    it: 'times out while idle, once, and stays open',
    see: async (socket) => {
      socket.setTimeout(20)
      await once(socket, 'timeout')
      return [socket.timeout, socket.readyState, socket.setTimeout(0).timeout]
    },
    expected: [20, 'open', 0],
  },
  {
    it: 'is destroyed with an error, and says so',
    see: async (socket) => {
      const events = eventsOf(socket)
      socket.destroy(Object.assign(new Error('mine'), { code: 'MINE' }))
      return [await events, socket.destroyed, socket.readyState, socket.remoteAddress]
    },
    expected: [['error MINE', 'close'], true, 'closed', undefined],
  },
  {
    it: 'resets its peer by resetAndDestroy',
    see: async (socket, peer) => {
      const events = eventsOf(peer)
      peer.resume()
      socket.resetAndDestroy()
      return events
    },
    expected: ['error ECONNRESET', 'close'],
  },
  {
    it: 'ends by itself when the peer does',
    options: { allowHalfOpen: false },
    peer: (peer) => peer.end('bye'),
    see: async (socket) => {
      const text = flowed(socket)
      return [await eventsOf(socket), await text, socket.writable]
    },
    expected: [['end', 'close'], 'bye', false],
  },
  {
    it: 'goes on writing after the peer’s end, if half open',
    options: { allowHalfOpen: true },
    peer: (peer) => peer.end('bye'),
    see: async (socket, peer) => {
      socket.resume()
      await once(socket, 'end')
      const seen = [socket.writable, socket.readyState]
      socket.end('still here')
      return [...seen, await textOf(peer)]
    },
    expected: [true, 'writeOnly', 'still here'],
  },
  {
    it: 'may be half open on this side: end, and read on',
    see: async (socket, peer) => {
      socket.end('question')
      const question = await flowed(peer)
      peer.end('answer')
      return [question, await textOf(socket)]
    },
    expected: ['question', 'answer'],
  },
  {
    it: 'closes when the peer ends, though nobody reads: there was nothing to read',
    peer: (peer) => peer.end(),
    see: (socket) => eventsOf(socket),
    expected: ['end', 'close'],
  },
  {
    it: 'says that the peer has reset to who listens for ‘close’ and ‘error’ alone',
    see: (socket, peer) => {
      const events = eventsOf(socket, ['error', 'close'])
      peer.resetAndDestroy()
      return events
    },
    expected: ['error ECONNRESET', 'close'],
  },
  {
    it: 'says that the peer has reset with data unread',
    peer: (peer) => peer.write('never read'),
    see: async (socket, peer) => {
      const events = eventsOf(socket)
      while (socket.readableLength === 0) await wait(1)
      peer.resetAndDestroy()
      return events
    },
    expected: ['error ECONNRESET', 'close'],
  },
  {
    it: 'fails a write to a peer that has reset',
    see: async (socket, peer) => {
      peer.resetAndDestroy()
      await once(peer, 'close')
      const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
        socket.on('error', () => {}).write('x', resolve)
      })
      return [['EPIPE', 'ECONNRESET'].includes(error?.code ?? ''), error?.syscall !== undefined]
    },
    expected: [true, true],
  },
  {
    it: 'holds the process, or not',
    see: (socket) => {
      const handles = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
      socket.resume()
      const held = handles()
      const unheld = socket.unref() === socket && held - handles()
      return [unheld, socket.ref() === socket && handles() - held]
    },
    expected: [1, 0],
  },
]
