/** How a probe that spoke ends its connection politely. */
import type { Socket } from 'node:net'
import type { Cancellation } from '../call/cancellation.js'
import { clearTimeout, setTimeout } from '../core/clock.js'
import * as limits from '../core/limits.js'

/**
 * close_notify and FIN, for as long as a peer may take to let them be sent. What it still sends is read and dropped, because
 * unread data would make the kernel reset the connection, and a server count a client that broke off. `peerEnds`: it was asked to
 * end by itself, so it may say its answer before it is told that nobody stays. All of that is bounded, in time and bytes.
 */
export function sayGoodbye(socket: Socket, peerEnds: boolean, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve) => {
    const buffered = socket.readableLength
    let read = 0
    let quiet: NodeJS.Timeout | undefined
    let stop: (() => void) | undefined
    const timer = setTimeout(done, limits.goodbyeMs)

    function done() {
      clearTimeout(timer)
      clearTimeout(quiet)
      stop?.()
      socket.off('finish', finished).off('close', done).off('data', took).off('end', ended)
      resolve()
    }
    /** The peer is in the middle of saying something, and it is not too much. */
    const saysMore = () => !socket.readableEnded && read > buffered && read - buffered < limits.goodbyeBytes

    function took(bytes: Buffer) {
      read += bytes.length
      if (socket.writableFinished && !saysMore()) done()
      else if (read - buffered >= limits.goodbyeBytes) socket.end()
      else if (quiet) waitForMore()
    }
    /** For a peer that is slow, and one that does not end by itself. */
    function waitForMore() {
      clearTimeout(quiet)
      quiet = setTimeout(() => (socket.writableFinished ? done() : socket.end()), limits.goodbyeQuietMs)
    }
    function finished() {
      if (saysMore()) waitForMore()
      else done()
    }
    function ended() {
      if (socket.writableFinished) done()
      else socket.end()
    }

    socket
      .once('finish', finished)
      .once('close', done)
      .once('end', ended)
      .on('error', () => {})
      .on('data', took)
    if (peerEnds) waitForMore()
    else socket.end()
    socket.resume()
    stop = cancellation.onRequest(done)
  })
}
