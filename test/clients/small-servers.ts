/** As much of MQTT and of Kafka as a client needs to be content. */
import net from 'node:net'
import tls from 'node:tls'

type Framed = (frame: Buffer, answer: (...bytes: (number | Buffer)[]) => void) => void

/** A server of frames. `sizeOf` says how long the first frame in what came is, or NaN if it cannot tell yet. */
function framesServer(sizeOf: (came: Buffer) => number, framed: Framed, secure?: tls.TlsOptions): net.Server {
  const serve = (peer: net.Socket) => {
    let came = Buffer.alloc(0)
    const answer = (...parts: (number | Buffer)[]) =>
      peer.write(Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : part))))
    peer
      .on('error', () => {})
      .on('data', (chunk: Buffer) => {
        came = Buffer.concat([came, chunk])
        for (let size = sizeOf(came); came.length >= size; size = sizeOf(came)) {
          framed(came.subarray(0, size), answer)
          came = came.subarray(size)
        }
      })
  }
  return secure ? tls.createServer(secure, serve) : net.createServer(serve)
}

/** Grants what is subscribed to, and sends back what is published. Packets are shorter than 128 bytes. */
export const mqttServer = (): net.Server =>
  framesServer(
    (came) => (came.length < 2 ? Number.NaN : 2 + came[1]!),
    (packet, answer) => {
      const kind = packet[0]! >> 4
      if (kind === 1) answer(0x20, 2, 0, 0)
      else if (kind === 3) answer(packet)
      else if (kind === 8) answer(0x90, 3, packet.subarray(2, 4), 0)
      else if (kind === 12) answer(0xd0, 0)
    },
  )

const int16 = (value: number) => Buffer.of(value >> 8, value & 255)
const int32 = (value: number) => Buffer.concat([int16(value >> 16), int16(value & 65_535)])
const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)])
const array = (...items: Buffer[]) => Buffer.concat([int32(items.length), ...items])

const metadata = 3
const apiVersions = 18

/** A broker with one topic, which has no partitions. */
export function kafkaServer(topic: string, secure?: tls.TlsOptions): net.Server {
  const server = framesServer(
    (came) => (came.length < 4 ? Number.NaN : 4 + came.readInt32BE()),
    (request, answer) => {
      const [key, version] = [request.readInt16BE(4), request.readInt16BE(6)]
      const { port } = server.address() as net.AddressInfo
      const supported = [metadata, apiVersions].map((each) => Buffer.concat([int16(each), int16(0), int16(0)]))
      const body =
        key === apiVersions
          ? Buffer.concat([int16(0), array(...supported), int32(0).subarray(0, version > 0 ? 4 : 0)])
          : Buffer.concat([
              array(Buffer.concat([int32(1), text('127.0.0.1'), int32(port)])),
              array(Buffer.concat([int16(0), text(topic), array()])),
            ])
      answer(int32(4 + body.length), request.subarray(8, 12), body)
    },
    secure,
  )
  return server
}
