/** What contestants connect to: processes of their own, so that serving costs every contestant the same. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

import { behaviours } from '../../src/lab/behaviours.js'
import { listenFull, type Place } from '../../src/lab/loopback.js'
import * as posix from '../../src/posix.js'
import { MissingCompiler, type Peers, type Served, serve } from '../peers.js'

export interface AcceptingServer {
  port: number
  /** What is to be known of it, for the report. */
  notes: readonly string[]
  /** What it saw, for the report. */
  close(): Promise<string[]>
}

type Process = Served<{ port: number }, { accepted: number; dropped: number }>

const nodeServer = fileURLToPath(new URL('./accept-close.js', import.meta.url))

/** Accepts on every loopback address and closes at once. */
export async function openAccepting(peers: Peers): Promise<AcceptingServer> {
  let server: Process
  const notes: string[] = []
  try {
    server = await serve(await peers.path('accept_close'))
  } catch (error) {
    if (!(error instanceof MissingCompiler)) throw error
    server = await serve(process.execPath, [nodeServer])
    notes.push(`The server is written for Node, because there is ${error.message}: it bounds the fastest contestants.`)
  }
  return {
    port: server.up.port,
    notes,
    async close() {
      const { accepted, dropped } = await server.stop()
      const seen = [`The server accepted ${accepted.toLocaleString('en')} connections and dropped ${dropped} SYNs.`]
      if (dropped > 0) seen.push('A dropped SYN costs its client a second: the rates are too low, run again.')
      return seen
    },
  }
}

/** A port of every loopback address that nothing listens on. */
export async function openRefusing(): Promise<{ port: number; close(): Promise<void> }> {
  const { place, close } = await behaviours.refuse.open()
  return { port: portOf(place), close }
}

/** Targets that never answer: TCP on every loopback address, and AF_UNIX. */
export interface HangingListeners {
  port: number
  path: string
  close(): Promise<void>
}

export async function openHanging(): Promise<HangingListeners> {
  const [tcp, unix] = await Promise.all([behaviours.hang.open(), behaviours.stall.open()])
  return {
    port: portOf(tcp.place),
    path: 'name' in unix.place ? `@${unix.place.name}` : '',
    close: async () => {
      await Promise.all([tcp.close(), unix.close()])
    },
  }
}

/** A port that hangs on the first of two addresses and accepts on the second. */
export async function openDeadAndAlive(): Promise<{ port: number; addresses: string[]; close(): Promise<void> }> {
  const addresses = ['127.0.0.1', '127.0.0.2']
  const fd = posix.socket('inet')
  posix.bind(fd, { family: 'inet', address: addresses[0]!, port: 0 })
  const { port } = posix.getsockname(fd) as { port: number }
  const giveUp = await listenFull({ fd, place: { port } })
  const alive = createServer((peer) => peer.on('error', () => {}).resume()).listen(port, addresses[1])
  await once(alive, 'listening')
  const close = async () => {
    posix.close(fd)
    await giveUp()
    await new Promise((resolve) => alive.close(resolve))
  }
  return { port, addresses, close }
}

const portOf = (place: Place): number => ('port' in place ? place.port : 0)
