/** What goes through a socket: bytes, in both directions, read in every way there is. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import tls from 'node:tls'

import { selfSigned } from '../../support/certificate.js'
import { eventsOf, type Row, textOf } from './row.js'

const certificate = selfSigned()
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-table-'))
const payload = randomBytes(8 << 20)
const digest = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
/** What clients asked for by SNI. */
const names: string[] = []

export const removeFiles = () => rmSync(directory, { recursive: true })

export const streams: Row[] = [
  {
    it: 'loses nothing that came before a listener',
    peer: (peer) => peer.write('early'),
    see: async (socket, peer) => {
      await wait(20)
      peer.end(' and late')
      await wait(20)
      return [socket.readableFlowing, await textOf(socket)]
    },
    expected: [null, 'early and late'],
  },
  {
    it: 'reads ahead once somebody listens, whatever for, and flows not before it is asked to',
    peer: (peer) => peer.write('ahead'),
    see: async (socket) => {
      const errors: unknown[] = []
      socket.on('error', (error) => errors.push(error))
      while (socket.readableLength === 0) await wait(1)
      return [socket.readableFlowing, String(socket.read()), socket.bytesRead, errors]
    },
    expected: [null, 'ahead', 5, []],
  },
  {
    it: 'pauses and resumes',
    see: async (socket, peer) => {
      const seen: string[] = []
      socket.on('data', (data) => seen.push(String(data)))
      const flowing = [socket.readableFlowing, socket.pause().readableFlowing, socket.isPaused()]
      peer.write('held')
      await wait(30)
      const meanwhile = [...seen]
      socket.resume()
      await once(socket, 'data')
      return [flowing, meanwhile, seen, socket.readableFlowing]
    },
    expected: [[true, false, true], [], ['held'], true],
  },
  {
    it: 'is read by ‘readable’ and read()',
    peer: (peer) => peer.end('in parts'),
    see: async (socket) => {
      const parts: string[] = []
      socket.setEncoding('utf8').on('readable', () => {
        for (let part = socket.read(3); part !== null; part = socket.read(3)) parts.push(part)
        const rest = socket.read()
        if (rest !== null) parts.push(rest)
      })
      await once(socket, 'end')
      return [socket.readableFlowing, parts.join('')]
    },
    expected: [false, 'in parts'],
  },
  {
    it: 'keeps what the peer sent before its end until it is read, then ends, then closes',
    peer: (peer) => peer.end('last words'),
    see: async (socket) => {
      const events = eventsOf(socket)
      await wait(50)
      const before = [socket.readableLength, socket.readableEnded, socket.closed]
      const words = String(socket.read())
      return [before, words, await events]
    },
    expected: [[10, false, false], 'last words', ['end', 'close']],
  },
  {
    it: 'receives 8 MiB whole, under backpressure, and counts them',
    peer: (peer) => peer.end(payload),
    see: async (socket) => {
      const hash = createHash('sha256')
      let most = 0
      for await (const chunk of socket) {
        hash.update(chunk)
        most = Math.max(most, socket.readableLength)
        if (socket.bytesRead < 1 << 20) await wait(1)
      }
      return [hash.digest('hex'), socket.bytesRead, most < 1 << 20]
    },
    expected: [digest(payload), payload.length, true],
  },
  {
    it: 'sends 8 MiB whole, under backpressure, and counts them',
    see: async (socket, peer) => {
      const room = socket.write(payload)
      const buffered = socket.writableLength > 0
      const hash = createHash('sha256')
      const received = (async () => {
        for await (const chunk of peer) hash.update(chunk)
      })()
      await once(socket, 'drain')
      socket.end()
      await received
      return [room, buffered, hash.digest('hex'), socket.bytesWritten]
    },
    expected: [false, true, digest(payload), payload.length],
  },
  {
    it: 'gathers writes while corked',
    see: async (socket, peer) => {
      const arrived = once(peer, 'data')
      socket.cork()
      socket.write('one ')
      socket.write('two ')
      socket.write('three')
      const corked = [socket.writableCorked, socket.writableLength, socket.bytesWritten]
      socket.uncork()
      return [corked, String((await arrived)[0]), socket.writableCorked]
    },
    expected: [[1, 13, 13], 'one two three', 0],
  },
  {
    it: 'is piped from a file and to one, both at once',
    options: { allowHalfOpen: true },
    peer: (peer) => peer.pipe(peer),
    see: async (socket) => {
      const [source, echoed] = [join(directory, 'source'), join(directory, 'echoed')]
      writeFileSync(source, payload)
      await pipeline(createReadStream(source), socket, createWriteStream(echoed))
      return digest(readFileSync(echoed))
    },
    expected: digest(payload),
  },
  {
    it: 'carries TLS on top, with SNI and ALPN',
    peer: (peer) => {
      const secure = new tls.TLSSocket(peer, {
        isServer: true,
        ...certificate,
        ALPNProtocols: ['first', 'second'],
        SNICallback: (servername, done) => {
          names.push(servername)
          done(null)
        },
      })
      secure.on('error', () => {}).on('secure', () => secure.end(`${secure.alpnProtocol}`))
    },
    see: async (socket) => {
      const options = { socket, ca: certificate.cert, servername: 'localhost', ALPNProtocols: ['second'] }
      const secure = tls.connect(options)
      await once(secure, 'secureConnect')
      const seen = [secure.authorized, secure.alpnProtocol, secure.getProtocol(), secure.remoteAddress, names.splice(0)]
      return [...seen, await textOf(secure)]
    },
    expected: [true, 'second', 'TLSv1.3', '127.0.0.1', ['localhost'], 'second'],
  },
]
