/** PostgreSQL: messages as its manual's "Frontend/Backend Protocol" has them. */
import * as limits from '../../core/limits.js'
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { quoted } from '../quoted.js'
import { expect, send } from './preset.js'

/** The server is starting up, or shutting down. By pg_isready every other error says that it takes connections. */
const cannotConnectNow = '57P03'

const headerBytes = 5
/** As libpq has it: what would be longer is no message but text, of whose letters the length is made. */
const messageAtMost = 30_000

const startupReply: Judge = (bytes) => {
  if (bytes.length < headerBytes) return undefined
  const kind = bytes.toString('latin1', 0, 1)
  const end = 1 + bytes.readUInt32BE(1)
  if (!['R', 'E', 'v', 'N'].includes(kind) || end < headerBytes || end > messageAtMost)
    return { refused: `does not speak as PostgreSQL does: it sent ${quoted(bytes)}` }
  // A notice, or word of a newer protocol: what is waited for follows.
  if (kind === 'N' || kind === 'v') return { skip: end }
  const isWhole = bytes.length >= Math.min(end, limits.expectBytes)
  if (!isWhole) return undefined
  // What an error says first is what it is; the rest of a long one may be left unread.
  const message = bytes.subarray(headerBytes, end)
  if (kind === 'R') return { end: headerBytes + message.length }
  const fields = fieldsOf(message)
  if (fields.get('C') !== cannotConnectNow) return { end: headerBytes + message.length }
  return { refused: `takes no connections now: ${quoted(Buffer.from(fields.get('M') ?? '', 'latin1'))}` }
}

/** Each has a letter, its text and a NUL. */
const fieldsOf = (message: Buffer): ReadonlyMap<string, string> =>
  new Map(
    message
      .toString('latin1')
      .split('\0')
      .map((field) => [field.charAt(0), field.slice(1)]),
  )

/** Version 3.0; who asks, so that the server's log says it. */
function startup(): Buffer {
  const words = ['user', 'cancelpoint', 'database', 'postgres', 'application_name', 'cancelpoint'].join('\0')
  const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(`${words}\0\0`)])
  return Buffer.concat([lengthOf(body), body])
}

function lengthOf(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return length
}

export const postgres: readonly ProbeStep[] = [send(startup()), expect('an answer of PostgreSQL', startupReply)]

/** One letter; a server from before TLS sends an error. */
const sslReply: Judge = (bytes) => {
  if (bytes.length === 0) return undefined
  if (bytes[0] === 0x53) return { end: 1 }
  if (bytes[0] === 0x4e) return { refused: 'does not offer TLS' }
  return { refused: `does not speak as PostgreSQL does: it sent ${quoted(bytes)}` }
}

export const postgresStarttls: readonly ProbeStep[] = [
  send(new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47])),
  expect('an answer to SSLRequest', sslReply),
  { starttls: true },
]
