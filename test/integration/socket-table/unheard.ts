/** What becomes of a socket that its user writes to, or ends, and never listens to. */
import type net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { type Row, textOf } from './row.js'

/** Listens to nothing; false where it stays open. */
async function closes(socket: net.Socket): Promise<boolean> {
  for (let i = 0; i < 400 && !socket.closed; i += 1) await wait(5)
  return socket.closed
}

const endsInTurn = (peer: net.Socket) => {
  peer.resume().on('end', () => peer.end())
}

/** Each way to have the socket send its end. */
const endings: [string, (socket: net.Socket) => void][] = [
  ['end()', (socket) => socket.end()],
  ['end(data)', (socket) => socket.end('x')],
  ['end(callback)', (socket) => socket.end(() => {})],
  ['write(data), end()', (socket) => socket.write('x') && socket.end()],
  [
    'two writes, end() in a later turn',
    (socket) => socket.write('x') && socket.write('y') && setTimeout(() => socket.end(), 20),
  ],
  [
    'cork(), write(data) twice, end()',
    (socket) => {
      socket.cork()
      socket.write('x')
      socket.write('y')
      socket.end()
    },
  ],
  ['destroySoon()', (socket) => socket.destroySoon()],
  ['setTimeout(), end()', (socket) => socket.setTimeout(60_000).end()],
]

export const unheard: Row[] = [
  ...endings.map(([how, end]) => ({
    it: `closes with its peer, nobody listening: ${how}`,
    peer: endsInTurn,
    see: (socket: net.Socket) => {
      end(socket)
      return closes(socket)
    },
    expected: true,
  })),
  {
    it: 'closes with its peer, nobody listening, its other half left open',
    options: { allowHalfOpen: true },
    peer: endsInTurn,
    see: (socket) => {
      socket.end('x')
      return closes(socket)
    },
    expected: true,
  },
  {
    it: 'closes where it was written to, and its peer ends without a word',
    peer: (peer) => peer.once('data', () => peer.end()),
    see: (socket) => {
      socket.write('x')
      return closes(socket)
    },
    expected: true,
  },
  {
    it: 'keeps an answer that came before anybody listened, after end()',
    peer: (peer) => peer.resume().on('end', () => peer.end('answer')),
    see: async (socket) => {
      socket.end('x')
      while (socket.readableLength === 0) await wait(1)
      await wait(20)
      return [socket.closed, socket.readableFlowing, await textOf(socket), await closes(socket)]
    },
    expected: [false, null, 'answer', true],
  },
  {
    it: 'keeps an answer that came before anybody listened, after write()',
    peer: (peer) => peer.once('data', () => peer.end('answer')),
    see: async (socket) => {
      socket.write('x')
      while (socket.readableLength === 0) await wait(1)
      await wait(20)
      return [socket.closed, socket.readableFlowing, await textOf(socket), await closes(socket)]
    },
    expected: [false, null, 'answer', true],
  },
]
