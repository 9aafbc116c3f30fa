/**
 * A connect under way, as the request that it is for and Node's Agent would have it. Node's own connects give a socket at
 * once, which belongs to a request and counts from then on; these give one late, and must not seem idle until then.
 */
import type http from 'node:http'
import { Socket } from 'node:net'

import { clearTimeout, setTimeout } from '../core/clock.js'

export type Done = (error: Error | null, socket?: Socket) => void

/** Node's Agent below its documented face. agent-base, and so every proxy agent, builds on the same. */
export interface Pool {
  sockets: Record<string, Socket[]>
  requests: Record<string, http.ClientRequest[]>
  totalSocketCount: number
  createSocket(request: http.ClientRequest, options: object, done: Done): void
  removeSocket(socket: Socket, options: object): void
}

/** A request without a socket says nothing when it is destroyed, so it is watched; and its timeout runs here meanwhile. */
export function watch(request: http.ClientRequest, cancel: () => void): () => void {
  const { destroy, timeout } = request as http.ClientRequest & { timeout?: number }
  request.destroy = function (error) {
    cancel()
    return destroy.call(this, error)
  }
  if (request.destroyed) cancel()
  const timer = timeout && setTimeout(() => request.emit('timeout'), timeout)
  return () => {
    request.destroy = destroy
    clearTimeout(timer || undefined)
  }
}

/**
 * Node leaves a request in line until its socket is there, which is at once. Left there any longer it would have another
 * connect begun for it, or be given a socket that was freed. It goes back to be given its own.
 */
export function takeFromLine(agent: Pool, name: string, request: http.ClientRequest): () => void {
  const line = agent.requests[name]
  if (!line?.includes(request)) return () => {}
  line.splice(line.indexOf(request), 1)
  if (line.length === 0) delete agent.requests[name]
  return () => {
    agent.requests[name] ??= []
    agent.requests[name].unshift(request)
  }
}

/** Counts as one of the agent's sockets until the result is called, which gives what counted. */
export function holdPlace(agent: Pool, name: string, cancel: () => void): () => Socket {
  const place = new Socket()
  // As Agent.destroy() does with all it has.
  place.once('close', cancel)
  agent.sockets[name] ??= []
  agent.sockets[name].push(place)
  agent.totalSocketCount += 1
  return () => {
    const sockets = agent.sockets[name]!
    sockets.splice(sockets.indexOf(place), 1)
    if (sockets.length === 0) delete agent.sockets[name]
    agent.totalSocketCount -= 1
    return place
  }
}
