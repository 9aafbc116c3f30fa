/** The stage of connects that succeed: the loopback server, or the targets the caller named. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createConnection } from '../../src/adapters/net.js'
import { parseTarget } from '../../src/core/target.js'
import type { ConnectionManager } from '../../src/index.js'
import type { Peers } from '../peers.js'
import type { OpenStage, Settings } from '../scenario.js'
import { openAccepting } from './servers.js'
import { targets } from './targets.js'

export interface Accepting {
  /** Of the loopback server; undefined where the caller named the targets. */
  port?: number
}

export async function openAcceptingStage(settings: Settings, peers: Peers): Promise<OpenStage<Accepting>> {
  if (settings.targets) return { stage: {}, close: async () => [] }
  const { port, notes, close } = await openAccepting(peers)
  return { stage: { port }, close: async () => [...notes, ...(await close())] }
}

export const targetsOf = ({ port }: Accepting, settings: Settings): readonly string[] =>
  settings.targets ?? targets(port!)

/** Node's own connect, as anyone would write it. */
export async function nodeConnect(target: NodeTarget): Promise<Socket> {
  const socket = connect(target)
  await once(socket, 'connect')
  return socket
}

/** The same by cancelpoint. */
export async function ourConnect(target: NodeTarget, manager: ConnectionManager): Promise<Socket> {
  const socket = createConnection({ ...target, manager })
  await once(socket, 'connect')
  return socket
}

/** Closed at once. AF_UNIX knows no reset, and Node throws then. */
export function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}

export type NodeTarget = { host: string; port: number } | { path: string }

/** A target as net.connect takes it. */
export function asNodeTarget(target: string): NodeTarget {
  const parsed = parseTarget(target)
  if (parsed.kind === 'name') return { host: parsed.hostname, port: parsed.port }
  const { endpoint } = parsed
  return endpoint.family === 'unix' ? { path: endpoint.path } : { host: endpoint.address, port: endpoint.port }
}
