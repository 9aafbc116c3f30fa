/** How a probe that spoke ends its connection politely. */
import type { Socket } from 'node:net'
import { clearTimeout, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'

/**
 * close_notify and FIN, for as long as a peer may take to let them be sent. What it still sends is read and dropped, because
 * unread data would make the kernel reset the connection.
 */
export function sayGoodbye(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, limits.goodbyeMs)
    function done() {
      clearTimeout(timer)
      socket.off('finish', done).off('close', done)
      resolve()
    }
    socket
      .once('finish', done)
      .once('close', done)
      .on('error', () => {})
    socket.resume().end()
  })
}
