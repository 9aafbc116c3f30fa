/** What createConnection does that net.connect does not: cancel, and take cancelpoint's own options. */
import { once } from 'node:events'
import net from 'node:net'
import type { ConnectionManager } from 'cancelpoint'
import { createConnection } from 'cancelpoint/net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { held, listenersOn } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()
const managers: ConnectionManager[] = []
const port = () => portOf(targets.accept)
const accept = () => ({ host: '127.0.0.1', port: port() })

beforeAll(async () => {
  for (const engine of engines) managers.push(await warmManager(targets.accept, { engine }))
})
afterAll(async () => {
  for (const manager of managers) await manager.close()
})

const lookup = ((_host: string, options: { all?: boolean }, done: (...told: unknown[]) => void) => {
  const found = options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1'
  setImmediate(() => done(null, found, 4))
}) as net.LookupFunction
/** Asked before the event: `closed` of a socket is true a little earlier. */
const closed = (socket: net.Socket) => new Promise((done) => socket.once('close', done))

describe.each(engines)('createConnection, by the %s engine', (engine) => {
  const own = () => ({ manager: managers[engines.indexOf(engine)]!, engine })

  it.each(['hang', 'stall'] as const)(
    'cancels a connect to a station of kind %s, and closes when all is released',
    async (what) => {
      const target = targets[what]
      const before = held()
      const sockets = Array.from({ length: 8 }, () => createConnection(target, own()))
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(held()).not.toEqual(before)
      const atClose: unknown[] = []
      for (const socket of sockets) {
        socket.destroy()
        await closed(socket)
        atClose.push(held())
      }
      expect(atClose.at(-1)).toEqual(before)
    },
  )

  it('cancels a look-up that hangs', async () => {
    const before = held()
    const lookup = () => {}
    const socket = createConnection({ host: 'name.test', port: 80, lookup, ...own() })
    await new Promise((resolve) => setTimeout(resolve, 10))
    socket.destroy()
    await closed(socket)
    expect(held()).toEqual(before)
  })

  it('takes a connect() of its client as the one that is under way', async () => {
    const socket = createConnection({ ...accept(), ...own() })
    const connected = new Promise<void>((resolve) => socket.connect(1, 'elsewhere.test', resolve))
    await connected
    expect(socket.remotePort).toBe(port())
    socket.destroy()
  })

  it('leaves no listener on a signal that outlives it, connected or not', async () => {
    const { signal } = new AbortController()
    for (const target of [targets.hang, targets.accept]) {
      const socket = createConnection(target, { ...own(), signal })
      if (target === targets.accept) await once(socket, 'connect')
      expect(listenersOn(signal)).toBe(1)
      socket.destroy()
      await closed(socket)
      expect(listenersOn(signal)).toBe(0)
    }
  })

  it('takes timeoutMs, attemptTimeoutMs and retry', async () => {
    const [late] = await once(createConnection(targets.hang, { ...own(), timeoutMs: 30 }), 'error')
    expect(late).toMatchObject({ code: 'ETIMEDOUT', timedOutBy: 'deadline' })
    const limits = { attemptTimeoutMs: 20, retry: { tries: 2, baseMs: 1 } }
    const [twice] = await once(createConnection(targets.hang, { ...own(), ...limits }), 'error')
    expect(twice).toMatchObject({ code: 'ETIMEDOUT', attempts: [{ engine }, { engine }] })
  })

  it('applies a block list, to a name as well', async () => {
    const blockList = new net.BlockList()
    blockList.addSubnet('127.0.0.0', 8)
    for (const host of ['127.0.0.1', 'name.test']) {
      const [error] = await once(createConnection({ host, port: port(), lookup, blockList, ...own() }), 'error')
      expect(error).toMatchObject({ code: 'ERR_BLOCKED', errnoClass: 'denied' })
    }
  })

  it('takes an IPv4-mapped source for an IPv4 address', async () => {
    const socket = createConnection({ ...accept(), localAddress: '::ffff:127.0.0.4', ...own() })
    await once(socket, 'connect')
    expect(socket.localAddress).toBe('127.0.0.4')
    socket.destroy()
  })
})

describe('createConnection', () => {
  it.each([
    [{ timeoutMS: 5 }, /^options has 'timeoutMS': did you mean timeoutMs\?$/],
    [{ attemptTimeoutMS: 5 }, /^options has 'attemptTimeoutMS': did you mean attemptTimeoutMs\?$/],
    [{ engine: 'x' }, /^engine is 'x': expected 'blocking'/],
    [{ timeoutMs: 0 }, /^timeoutMs is 0/],
    [{ retry: { trys: 2 } }, /^retry has 'trys'/],
    [{ manager: 5 }, /^manager is 5/],
  ])('refuses %j', (options, message) => {
    expect(() => createConnection({ port: 1, ...options } as never)).toThrow(message)
  })

  it('fails by a manager that is closed', async () => {
    const manager = await warmManager(targets.accept)
    await manager.close()
    const [error] = await once(createConnection({ ...accept(), manager }), 'error')
    expect(error).toMatchObject({ code: 'ERR_MANAGER_CLOSED' })
  })

  it('ends with an AbortError as its manager closes', async () => {
    const manager = await warmManager(targets.accept)
    const socket = createConnection(targets.hang, { manager })
    const failed = once(socket, 'error')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await manager.close()
    expect((await failed)[0]).toMatchObject({ code: 'ABORT_ERR' })
  })
})
