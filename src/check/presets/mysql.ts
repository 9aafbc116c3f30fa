/** MySQL and MariaDB: the server speaks first. Packets as the manual's "Client/Server Protocol" has them. */
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { quoted } from '../quoted.js'
import { expect, send } from './preset.js'

const headerBytes = 4
const protocol10 = 0x0a
const errorPacket = 0xff
/** Its kind and a number. */
const errorAtLeast = 3
/** No greeting is longer: what says so is no MySQL. */
const greetingAtMost = 1_024

const clientSsl = 0x0800
const clientProtocol41 = 0x0200
const clientSecureConnection = 0x8000

const greeting =
  (needsTls: boolean): Judge =>
  (bytes) => {
    if (bytes.length < headerBytes + 1) return undefined
    const end = headerBytes + bytes.readUIntLE(0, 3)
    const kind = bytes[headerBytes]
    const foreign = { refused: `does not greet as MySQL does: it sent ${quoted(bytes)}` }
    const isKnown = kind === protocol10 || kind === errorPacket
    if (end > greetingAtMost || end < headerBytes + errorAtLeast || bytes[3] !== 0 || !isKnown) return foreign
    if (bytes.length < end) return undefined
    const packet = bytes.subarray(headerBytes, end)
    if (kind === protocol10 && packet.length < capabilitiesAt(packet) + 2) return foreign
    if (kind === errorPacket) return { refused: `refused with ${errorOf(packet)}` }
    if (needsTls && !(capabilitiesOf(packet) & clientSsl)) return { refused: 'does not offer TLS' }
    return { end }
  }

/** A number, perhaps `#` and an SQL state, and words. */
const errorOf = (packet: Buffer): string =>
  `error ${packet.readUInt16LE(1)}: ${quoted(packet.subarray(packet[3] === 0x23 ? 9 : 3))}`

/** The lower half: after the version's NUL come the thread's number, eight bytes of a challenge and a filler. */
const capabilitiesAt = (packet: Buffer): number => {
  const version = packet.indexOf(0, 1)
  return version < 0 ? Number.POSITIVE_INFINITY : version + 1 + 4 + 8 + 1
}

const capabilitiesOf = (packet: Buffer): number => packet.readUInt16LE(capabilitiesAt(packet))

export const mysql: readonly ProbeStep[] = [expect('a greeting of MySQL', greeting(false))]

/** The packet "SSLRequest": capabilities, the largest packet, a character set, and a filler. The second of the talk. */
function sslRequest(): Buffer {
  const packet = Buffer.alloc(headerBytes + 32)
  packet.writeUIntLE(32, 0, 3)
  packet[3] = 1
  packet.writeUInt32LE(clientSsl | clientProtocol41 | clientSecureConnection, 4)
  packet.writeUInt32LE(0x1000000, 8)
  packet[12] = 33
  return packet
}

export const mysqlStarttls: readonly ProbeStep[] = [
  expect('a greeting of MySQL', greeting(true)),
  send(sslRequest()),
  { starttls: true },
]
