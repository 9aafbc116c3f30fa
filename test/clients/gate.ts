/** A way to a server that can be shut and opened again, on one port: what a client sees of a server that goes and comes back. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import type { Server } from '../support/servers.js'

export interface Gate extends Server {
  open(): Promise<void>
  /** New connects are refused, and those that were made are ended. */
  shut(): Promise<void>
}

/** `secure` puts TLS in front of the server. */
export async function openGate(to: Server, secure?: tls.TlsOptions): Promise<Gate> {
  const sockets = new Set<net.Socket>()
  const kept = (socket: net.Socket) => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const pass = (peer: net.Socket) => {
    const onward = kept(net.connect(to.port, to.host))
    kept(peer).pipe(onward).pipe(peer)
  }
  const server = secure ? tls.createServer(secure, pass) : net.createServer(pass)
  const gate: Gate = {
    host: '127.0.0.1',
    port: 0,
    async open() {
      server.listen(gate.port, gate.host)
      await once(server, 'listening')
      gate.port = (server.address() as AddressInfo).port
    },
    async shut() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  await gate.open()
  return gate
}
