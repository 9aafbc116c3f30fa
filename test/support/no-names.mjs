// @ts-check
/** A name server that knows no name. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** @param {number} port 0 for a free one */
export async function serveNoNames(port, address = '127.0.0.1') {
  const server = createSocket('udp4')
  server.on('message', (query, from) => {
    // An answer, recursion available, NXDOMAIN.
    query.writeUInt16BE(0x8183, 2)
    server.send(query, from.port, from.address)
  })
  server.bind(port, address)
  await once(server, 'listening')
  return server
}
