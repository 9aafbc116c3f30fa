/** What Node documents for a connected net.Socket, seen on net.connect's own sockets and on ours: one table, one answer. */
import { once } from 'node:events'
import net from 'node:net'
import { ConnectionManager } from 'cancelpoint'
import { createConnection } from 'cancelpoint/net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeSocket } from '#internal/bridge/descriptor'
import { held } from '../support/counts.js'
import { engines } from '../support/warm-up.js'
import { life } from './socket-table/life.js'
import type { Options, Row } from './socket-table/row.js'
import { removeFiles, streams } from './socket-table/streams.js'
import { unheard } from './socket-table/unheard.js'

type Open = (port: number, options?: Options) => Promise<net.Socket>

const managers = engines.map((engine) => new ConnectionManager({ engine, retry: false }))
const sources: [string, Open][] = [
  ['net.connect', (port, options) => connected(net.connect({ host: '127.0.0.1', port, ...options }))],
  ...engines.map((engine, index): [string, Open] => [
    `createConnection, by the ${engine} engine`,
    (port, options) => connected(createConnection({ host: '127.0.0.1', port, ...options, manager: managers[index] })),
  ]),
  ...engines.map((engine, index): [string, Open] => [
    `the ${engine} engine`,
    (port, options) => managers[index]!.connect({ host: '127.0.0.1', port }, options),
  ]),
]

async function connected(socket: net.Socket): Promise<net.Socket> {
  await once(socket, 'connect')
  return socket
}

const rows: Row[] = [...life, ...streams, ...unheard]

let peerDoes: Row['peer']
let arrived: (peer: net.Socket) => void = () => {}
const server = net.createServer({ allowHalfOpen: true }, (peer) => {
  peer.on('error', () => {})
  peerDoes?.(peer)
  arrived(peer)
})

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  for (const [, open] of sources) await run(rows[0]!, open)
})
afterAll(async () => {
  server.close()
  for (const manager of managers) await manager.close()
  removeFiles()
})

async function run({ peer: does, options, see }: Row, open: Open): Promise<unknown> {
  peerDoes = does
  const peer = new Promise<net.Socket>((resolve) => {
    arrived = resolve
  })
  const socket = await open((server.address() as net.AddressInfo).port, options)
  try {
    return await see(socket, await peer)
  } finally {
    await Promise.all([closeSocket(socket), peer.then(closeSocket)])
  }
}

describe.each(sources)('a socket of %s', (_, open) => {
  for (const row of rows)
    it.skipIf(row.lacking)(row.lacking ? `${row.it}: ${row.lacking}` : row.it, async () => {
      const before = held()
      expect(await run(row, open)).toEqual(row.expected)
      await expect.poll(held).toEqual(before)
    })
})
