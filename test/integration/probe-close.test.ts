import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type CheckOptions, type CheckResult, ConnectionManager, ledger } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { AttemptRequest, Outcome } from '#internal/bridge/registry'
import { encodeEndpoint } from '#internal/core/sockaddr'
import { BlockingEngine } from '#internal/engines/blocking'
import { NonblockingEngine } from '#internal/engines/nonblocking'
import { selfSigned } from '../support/certificate.js'
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
      engineOf[name].submit({ family: 'inet', remote, timeoutMs: 5_000, probe: true, closeWith }, { settle: resolve })
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

describe.each(engines)('a check ends its connections, %s engine', (engine) => {
  const { key, cert } = selfSigned()
  let manager: ConnectionManager
  beforeAll(() => {
    manager = new ConnectionManager({ engine })
  })
  afterAll(() => manager.close())

  /** The one result of a check of a server on loopback, and how the server saw the connection end. */
  async function checked(server: Server, seen: Promise<string>, options: CheckOptions) {
    server.listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const results: CheckResult[] = []
    for await (const result of manager.check([`localhost:${port}`], options)) results.push(result)
    expect(results).toMatchObject([{ status: 'up' }])
    expect(ledger()).toMatchObject({ descriptors: 0, attempts: 0 })
    return seen
  }

  function plain(options: CheckOptions): Promise<string> {
    const server = createServer()
    const seen = new Promise<string>((resolve) => {
      server.once('connection', (socket) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!))
        socket.resume().once('end', () => resolve('end'))
      })
    })
    return checked(server, seen, options)
  }

  const alert = 21

  /**
   * How a TLS server's connection ended: its last record from the client, and what came behind that. The records are seen by a
   * server that passes all on. Before TLS 1.3 a record says in clear that it is an alert.
   */
  async function secured(options: CheckOptions): Promise<string> {
    const tlsServer = createTlsServer({ key, cert, maxVersion: 'TLSv1.2' }).listen(0, '127.0.0.1')
    onTestFinished(() => void tlsServer.close())
    await once(tlsServer, 'listening')
    tlsServer.on('secureConnection', (socket) => socket.resume().on('error', () => {}))
    tlsServer.on('tlsClientError', () => {})
    const tap = createServer()
    const seen = new Promise<string>((resolve) => {
      tap.once('connection', (socket) => {
        const received: Buffer[] = []
        const upstream = connect((tlsServer.address() as AddressInfo).port, '127.0.0.1')
        const ended = (how: string) => {
          upstream.destroy()
          resolve(`${lastRecord(Buffer.concat(received)) === alert ? 'close_notify, ' : ''}${how}`)
        }
        upstream.on('error', () => {}).pipe(socket)
        socket.on('data', (data) => received.push(data)).pipe(upstream)
        socket.once('error', (error: NodeJS.ErrnoException) => ended(error.code!))
        socket.once('close', (hadError) => hadError || ended('end'))
      })
    })
    return checked(tap, seen, { ...options, tls: { ca: cert } })
  }

  /** RFC 5246, section 6.2.1: a record is its type, two bytes of version, two of length, and as many bytes. */
  function lastRecord(bytes: Buffer): number | undefined {
    let type: number | undefined
    for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) type = bytes[at]
    return type
  }

  it.each([
    { options: {}, sees: 'ECONNRESET' },
    { options: { close: 'reset' }, sees: 'ECONNRESET' },
    { options: { close: 'fin' }, sees: 'end' },
    // The whole path of a call, which a plain numeric target without retries does not take.
    { options: { close: 'fin', allAddresses: true }, sees: 'end' },
    { options: { close: 'fin', retry: { tries: 2 } }, sees: 'end' },
  ] as const)('$options: $sees', async ({ options, sees }) => {
    expect(await plain(options)).toBe(sees)
  })

  it.each([
    { options: {}, sees: 'close_notify, end' },
    { options: { close: 'fin' }, sees: 'close_notify, end' },
    { options: { close: 'reset' }, sees: 'ECONNRESET' },
  ] as const)('with TLS, $options: $sees', async ({ options, sees }) => {
    expect(await secured(options)).toBe(sees)
  })
})
