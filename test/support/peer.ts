/** Servers for one test: what they do with each connection is the test's matter. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type CheckOptions,
  type CheckResult,
  type CheckTarget,
  type ConnectionManager,
  ledger,
  type Target,
} from 'cancelpoint'
import { expect, onTestFinished } from 'vitest'

export type Peer = (socket: Socket) => unknown

/** Listens on loopback until the test has ended. */
export async function targetOf(peer: Peer, options: net.ServerOpts = {}): Promise<string> {
  const sockets = new Set<Socket>()
  const server = net.createServer(options, (socket) => {
    sockets.add(socket.on('error', () => {}))
    peer(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Each part in a segment of its own. */
export async function inSegments(socket: Socket, parts: readonly (string | Buffer)[], everyMs = 5): Promise<void> {
  socket.setNoDelay()
  for (const [index, part] of parts.entries()) {
    if (index > 0) await wait(everyMs)
    socket.write(part)
  }
}

/** The one result, after which native code holds what it held before. */
export async function resultOf(
  manager: ConnectionManager,
  target: Target | CheckTarget,
  options: CheckOptions = {},
): Promise<CheckResult> {
  const before = ledger()
  const results: CheckResult[] = []
  for await (const result of manager.check([target], options)) results.push(result)
  expect(results).toHaveLength(1)
  const { descriptors, buffers, attempts } = before
  expect(ledger()).toMatchObject({ descriptors, buffers, attempts })
  return results[0]!
}
