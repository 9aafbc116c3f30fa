/**
 * Requests of one connection are answered one after the other. A client may send many at once, and would otherwise have as many
 * answers made, and kept in memory until it reads them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import * as limits from '../core/limits.js'

type Serve = (request: IncomingMessage, response: ServerResponse) => void

interface Line {
  isBusy: boolean
  readonly waiting: [IncomingMessage, ServerResponse][]
}

/** `refuse`: for what is one too many. */
export function inTurn(serve: Serve, refuse: (response: ServerResponse) => void): Serve {
  const lines = new WeakMap<Socket, Line>()
  const next = (line: Line): void => {
    const first = line.waiting.shift()
    line.isBusy = first !== undefined
    if (first) begin(line, ...first)
  }
  const begin = (line: Line, request: IncomingMessage, response: ServerResponse): void => {
    response.once('close', () => next(line))
    // It may have been closed while it waited.
    if (request.socket.destroyed) response.destroy()
    else serve(request, response)
  }
  return (request, response) => {
    const line = lines.get(request.socket) ?? { isBusy: false, waiting: [] }
    lines.set(request.socket, line)
    if (!line.isBusy) {
      line.isBusy = true
      begin(line, request, response)
    } else if (line.waiting.length < limits.serve.pipelinedAtMost) line.waiting.push([request, response])
    else refuse(response)
  }
}
