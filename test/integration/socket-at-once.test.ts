/** What Node documents for a socket that is still connecting, seen on net.connect's and on createConnection's: one table, one answer. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import net from 'node:net'
import type { ConnectionManager } from 'cancelpoint'
import { createConnection, type NetOptions } from 'cancelpoint/net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'
import { textOf } from './socket-table/row.js'

type Connect = (...given: never[]) => net.Socket
type Options = Partial<net.TcpNetConnectOpts & net.IpcNetConnectOpts & net.SocketConstructorOpts> & object

const targets = useStations()
const path = `\0cancelpoint-at-once-${process.pid}`
const accepted: net.Socket[] = []
const server = net.createServer({ allowHalfOpen: true }, (peer) => accepted.push(peer.on('error', () => {})))
const local = net.createServer((peer) => peer.on('error', () => {}).end('local'))
let port: number

const managers: ConnectionManager[] = []
const sources: [string, Connect][] = [
  ['net.connect', net.connect as never],
  ...engines.map((engine, index): [string, Connect] => [
    `createConnection, by the ${engine} engine`,
    (...given: unknown[]) => {
      // Node's shapes: the manager comes with the options, or by the socket's own engine.
      const [first] = given
      const isOptions = typeof first === 'object' && first !== null
      const all = isOptions ? [{ ...first, manager: managers[index], engine }, ...given.slice(1)] : given
      return createConnection(...(all as [NetOptions]))
    },
  ]),
]

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  local.listen({ path })
  await Promise.all([once(server, 'listening'), once(local, 'listening')])
  port = (server.address() as net.AddressInfo).port
  for (const engine of engines) managers.push(await warmManager(targets.accept, { engine }))
})
afterAll(async () => {
  for (const peer of accepted) peer.destroy()
  server.close()
  local.close()
  for (const manager of managers) await manager.close()
})

/** The other end of a socket that is connecting. */
async function peerOf(socket: net.Socket): Promise<net.Socket> {
  if (socket.connecting) await once(socket, 'connect')
  const { localPort } = socket
  for (;;) {
    const found = accepted.find((each) => each.remotePort === localPort)
    if (found) return found
    await once(server, 'connection')
  }
}

const names = [
  'lookup',
  'connectionAttempt',
  'connectionAttemptFailed',
  'connect',
  'ready',
  'timeout',
  'error',
  'close',
]

/** Events and what came with them, as they come. */
function heard(socket: net.Socket): string[] {
  const seen: string[] = []
  for (const name of names)
    socket.on(name, (...given) => {
      const told = given.map((each) => (each instanceof Error ? (each as NodeJS.ErrnoException).code : String(each)))
      seen.push([name, ...told].join(' '))
    })
  return seen
}

/** Asked before the event: `closed` of a socket is true a little earlier. */
const closed = (socket: net.Socket) => new Promise((done) => socket.once('close', done))
const lookup = ((_host: string, options: { all?: boolean }, done: (...told: unknown[]) => void) => {
  const found = options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1'
  setImmediate(() => done(null, found, 4))
}) as net.LookupFunction

describe.each(sources)('%s', (_, connect) => {
  const open = (options: Options = {}, listener?: () => void) =>
    connect(...([{ port, host: '127.0.0.1', ...options }, listener] as never[]))
  const hang = (options: Options = {}) => open({ port: portOf(targets.hang), ...options })

  it('says that it connects, and is an ordinary socket', async () => {
    const socket = open()
    const { connecting, pending, readyState, destroyed, remoteAddress, bytesRead } = socket
    expect({ connecting, pending, readyState, destroyed, remoteAddress, bytesRead }).toEqual({
      connecting: true,
      pending: true,
      readyState: 'opening',
      destroyed: false,
      remoteAddress: undefined,
      bytesRead: 0,
    })
    expect([socket instanceof net.Socket, socket.constructor === net.Socket]).toEqual([true, true])
    await once(socket, 'connect')
    expect([socket.connecting, socket.pending, socket.readyState]).toEqual([false, false, 'open'])
    socket.destroy()
  })

  it('tells its steps in order, of an address', async () => {
    const socket = open()
    const seen = heard(socket)
    await once(socket, 'ready')
    socket.destroy()
    await closed(socket)
    expect(seen).toEqual([`connectionAttempt 127.0.0.1 ${port} 4`, 'connect', 'ready', 'close false'])
  })

  it.each([{}, { family: 4 }, { autoSelectFamily: false }])('tells its steps in order, of a name: %j', async (more) => {
    const socket = open({ host: 'name.test', lookup, ...more })
    const seen = heard(socket)
    await once(socket, 'ready')
    socket.destroy()
    await closed(socket)
    const attempt = `connectionAttempt 127.0.0.1 ${port} 4`
    expect(seen).toEqual(['lookup null 127.0.0.1 4 name.test', attempt, 'connect', 'ready', 'close false'])
  })

  it('tells a failed attempt, and then fails', async () => {
    const at = portOf(targets.refuse)
    const socket = open({ port: at })
    const seen = heard(socket)
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '127.0.0.1',
      port: at,
    })
    await closed(socket)
    const told = [`connectionAttempt 127.0.0.1 ${at} 4`, `connectionAttemptFailed 127.0.0.1 ${at} 4 ECONNREFUSED`]
    expect(seen).toEqual([...told, 'error ECONNREFUSED', 'close true'])
  })

  it('fails by its look-up', async () => {
    const socket = open({
      host: 'name.test',
      lookup: (_name, _options, done) =>
        setImmediate(done, Object.assign(new Error('no'), { code: 'ESERVFAIL' }), '', 4),
    })
    const seen = heard(socket)
    await closed(socket)
    expect(seen).toEqual([expect.stringMatching(/^lookup ESERVFAIL/), 'error ESERVFAIL', 'close true'])
  })

  it('fails at a path where nothing is', async () => {
    const socket = connect(...(['/nothing/there.sock'] as never[]))
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'connect', address: '/nothing/there.sock' })
  })

  it('connects to a path', async () => {
    const socket = connect(...([{ path }] as never[]))
    expect([socket.address(), socket.localAddress, socket.localPort]).toEqual([{}, undefined, undefined])
    expect(await textOf(socket)).toBe('local')
  })

  it.each([
    ['(port, host, listener)', (listener: () => void) => [port, '127.0.0.1', listener]],
    ['(port as text, host, listener)', (listener: () => void) => [String(port), '127.0.0.1', listener]],
    ['(options, listener)', (listener: () => void) => [{ port, host: '127.0.0.1' }, listener]],
    ['(path, listener)', (listener: () => void) => [path, listener]],
  ])('takes %s', async (_shape, given) => {
    await new Promise<void>((resolve) => {
      const socket: net.Socket = connect(
        ...(given(() => {
          resolve()
          socket.destroy()
        }) as never[]),
      )
    })
  })

  it('sends what was written before, then its end', async () => {
    const socket = open()
    socket.write('early ')
    socket.end('words')
    expect(socket.bytesWritten).toBe(11)
    const other = await peerOf(socket)
    expect(await textOf(other)).toBe('early words')
    other.end()
    await closed(socket.resume())
    expect(socket.bytesWritten).toBe(11)
  })

  it('reads into a buffer of its user', async () => {
    const parts: string[] = []
    const socket = open({
      onread: {
        buffer: Buffer.alloc(16),
        callback: (count, buffer) => {
          parts.push(Buffer.from(buffer).toString('utf8', 0, count))
          return true
        },
      },
    })
    ;(await peerOf(socket)).end('read')
    await closed(socket)
    expect(parts).toEqual(['read'])
  })

  it('keeps what was set before: no delay, keep-alive, half open, paused', async () => {
    const socket = open({ allowHalfOpen: true }).setNoDelay().setKeepAlive(true, 1_000).pause()
    await once(socket, 'connect')
    ;(await peerOf(socket)).end('held')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([socket.isPaused(), socket.readableFlowing, socket.allowHalfOpen, socket.bytesRead]).toEqual([
      true,
      false,
      true,
      0,
    ])
    expect(await textOf(socket)).toBe('held')
    socket.destroy()
  })

  it('takes ref and unref', async () => {
    const socket = open()
    expect(socket.unref()).toBe(socket)
    expect(socket.ref()).toBe(socket)
    await once(socket, 'connect')
    socket.destroy()
  })

  it.each(['setTimeout()', 'the option'])('times out while it connects, and goes on, by %s', async (how) => {
    const socket = how === 'the option' ? hang({ timeout: 20 }) : hang().setTimeout(20)
    await once(socket, 'timeout')
    expect([socket.connecting, socket.destroyed, socket.timeout]).toEqual([true, false, 20])
    socket.destroy()
    expect(await closed(socket)).toBe(false)
  })

  it.each<[string, (socket: net.Socket) => void, string[]]>([
    ['destroy()', (socket) => socket.destroy(), ['close false']],
    [
      'destroy(error)',
      (socket) => socket.destroy(Object.assign(new Error(), { code: 'MINE' })),
      ['error MINE', 'close true'],
    ],
    ['destroySoon()', (socket) => socket.destroySoon(), []],
  ])('%s in the turn in which it was made', async (_how, end, expected) => {
    const socket = open()
    const seen = heard(socket)
    end(socket)
    await closed(socket.resume())
    if (expected.length > 0) expect(seen).toEqual(expected)
    else expect(seen.at(-1)).toBe('close false')
  })

  it('is destroyed by its signal, while it connects and later', async () => {
    for (const make of [hang, open]) {
      const controller = new AbortController()
      const socket = make({ signal: controller.signal })
      const seen = heard(socket)
      if (make === open) await once(socket, 'ready')
      controller.abort()
      await closed(socket)
      expect(seen.slice(-2)).toEqual(['error ABORT_ERR', 'close true'])
    }
  })

  it('resets its peer by resetAndDestroy(), once it is connected', async () => {
    const socket = open()
    const other = peerOf(socket)
    socket.resetAndDestroy()
    const reset = (await other).resume()
    await expect.poll(() => (reset.errored as NodeJS.ErrnoException | null)?.code).toBe('ECONNRESET')
  })

  it('has the source that was fixed', async () => {
    const socket = open({ localAddress: '127.0.0.3' })
    await once(socket, 'connect')
    expect(socket.localAddress).toBe('127.0.0.3')
    socket.destroy()
    await closed(socket)
    const failed = open({
      port: portOf(targets.refuse),
      localAddress: '127.0.0.3',
      localPort: socket.localPort ?? 40_001,
    })
    const [error] = await once(failed, 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED', localAddress: '127.0.0.3' })
  })

  it('connects once more after it was closed', async () => {
    const socket = open()
    await once(socket, 'connect')
    socket.destroy()
    await closed(socket)
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    expect(socket.remotePort).toBe(port)
    socket.destroy()
  })

  it('calls its listeners in the context of who asked for it', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen = await storage.run('mine', async () => {
      const socket = open({ host: 'name.test', lookup })
      const stores: Record<string, string | undefined> = {}
      for (const name of ['lookup', 'connectionAttempt', 'connect'])
        socket.on(name, () => {
          stores[name] = storage.getStore()
        })
      await once(socket, 'ready')
      socket.destroy()
      return stores
    })
    expect(seen).toEqual({ lookup: 'mine', connectionAttempt: 'mine', connect: 'mine' })
  })

  it.each([
    [{ port: undefined }, 'ERR_MISSING_ARGS'],
    [{ port: 70_000 }, 'ERR_SOCKET_BAD_PORT'],
    [{ localAddress: 'here' }, 'ERR_INVALID_IP_ADDRESS'],
    [{ localPort: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ host: 'name.test', lookup: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ autoSelectFamily: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ])('throws what Node throws at %j', (wrong, code) => {
    expect(() => open(wrong as never)).toThrow(expect.objectContaining({ code }))
  })
})
