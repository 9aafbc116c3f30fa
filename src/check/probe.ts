/** What a check does to a target: connect, or connect and TLS. Nothing is left open when a probe settles. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

import { binding } from '../bridge/binding.js'
import { closeSocket, Descriptor } from '../bridge/descriptor.js'
import type { Call } from '../call/call.js'
import { probe as connectProbe, establish } from '../call/connect.js'
import type { CheckSettings } from '../call/settings.js'
import { secure } from '../call/tls.js'
import { clearTimeout, setTimeout } from '../core/clock.js'
import type { Endpoint } from '../core/endpoint.js'
import * as limits from '../core/limits.js'

/** Resolves to the endpoint that took the connect. Rejects as the call's work does. */
export type Probe = (call: Call) => Promise<Endpoint>

export function probeFor({ tls, close = 'fin' }: CheckSettings): Probe {
  return tls ? (call) => tlsProbe(call, close) : connectProbe
}

async function tlsProbe(call: Call, close: 'reset' | 'fin'): Promise<Endpoint> {
  const descriptor = new Descriptor(await establish(call))
  const { fd } = descriptor
  const socket = descriptor.adopt()
  const secured = await secure(socket, call)
  // The verdict stands: no deadline may change it while the connection is ended.
  call.deadline.end()
  if (close === 'fin') await sayGoodbye(secured)
  // While neither is destroyed, the number is still this connection's. Node's own resetAndDestroy() knows no TLSSocket, and
  // on the socket below one it ends the process by a segmentation fault.
  else if (!socket.destroyed && !secured.destroyed) binding.setOption(fd, 'linger', 0)
  await closeSocket(secured)
  return call.endpoint!
}

/**
 * close_notify and FIN, for as long as a peer may take to let them be sent. What it still sends is read and dropped, because
 * unread data would make the kernel reset the connection.
 */
function sayGoodbye(secured: TLSSocket | Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, limits.goodbyeMs)
    function done() {
      clearTimeout(timer)
      secured.off('finish', done).off('close', done)
      resolve()
    }
    secured
      .once('finish', done)
      .once('close', done)
      .on('error', () => {})
    secured.resume().end()
  })
}
