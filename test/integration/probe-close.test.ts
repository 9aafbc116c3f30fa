import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import type { AttemptRequest, Outcome } from '#internal/bridge/registry'
import { encodeEndpoint } from '#internal/core/sockaddr'
import { BlockingEngine } from '#internal/engines/blocking'
import { NonblockingEngine } from '#internal/engines/nonblocking'
import { engines } from '../support/warm-up.js'

const lanes = new BlockingEngine({ lanes: 2 })
const engineOf = { blocking: lanes, nonblocking: new NonblockingEngine({ lanes: () => lanes }) }
afterAll(async () => {
  await engineOf.nonblocking.close()
  await lanes.close()
})

describe.each(engines)('a probe closes, %s engine', (name) => {
  /** What a server sees of a probe: how the connection that it accepts ends. */
  async function seenOf(closeWith: AttemptRequest['closeWith']): Promise<string> {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const seen = new Promise<string>((resolve) => {
      server.once('connection', (socket) => {
        socket.once('end', () => resolve('end'))
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!))
        socket.resume()
      })
    })
    const { port } = server.address() as AddressInfo
    const remote = encodeEndpoint({ family: 'inet', address: '127.0.0.1', port })
    const outcome = await new Promise<Outcome>((resolve) => {
      engineOf[name].submit({ family: 'inet', remote, timeoutMs: 5_000, probe: true, closeWith }, resolve)
    })
    expect(outcome).toMatchObject({ state: 'connected' })
    return seen
  }

  it('with a reset', async () => {
    expect(await seenOf(undefined)).toBe('ECONNRESET')
    expect(await seenOf('reset')).toBe('ECONNRESET')
  })

  it('with a FIN where that is asked for', async () => {
    expect(await seenOf('fin')).toBe('end')
  })
})
