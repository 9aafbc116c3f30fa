import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { ConnectError, type ConnectionManager, type ConnectOptions, connect } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeSocket } from '#internal/bridge/descriptor'
import { secure } from '#internal/call/tls'
import type { Engine } from '#internal/engines/engine'
import type { Resolver } from '#internal/names/resolver'
import { callOver } from '../support/call.js'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine })
  })
  afterAll(() => manager.close())

  const addresses =
    (...list: string[]): ConnectOptions['lookup'] =>
    async () =>
      list

  const failureOf = (call: Promise<unknown>): Promise<ConnectError> =>
    call.then(
      () => undefined,
      (error) => error,
    ) as never

  describe('several addresses', () => {
    it('are tried in order, the first that takes it wins', async () => {
      const seen: string[] = []
      const lookup: ConnectOptions['lookup'] = async (hostname) => {
        seen.push(hostname)
        return ['127.0.0.5', '127.0.0.6']
      }
      const socket = await manager.connect(`service.test:${portOf(targets.accept)}`, { lookup })
      expect(socket.remoteAddress).toBe('127.0.0.5')
      expect(seen).toEqual(['service.test'])
      await closeSocket(socket)
    })

    it('that fail are passed over', async () => {
      const lookup = addresses('::1', '127.0.0.6')
      const socket = await manager.connect({ host: 'service.test', port: portOf(targets.accept) }, { lookup })
      expect(socket.remoteAddress).toBe('127.0.0.6')
      await closeSocket(socket)
    })

    it('that all fail are all told', async () => {
      const before = held()
      const port = portOf(targets.refuse)
      const call = manager.connect(`service.test:${port}`, { lookup: addresses('127.0.0.5', '127.0.0.6', '127.0.0.7') })
      const error = await failureOf(call)
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({
        name: 'ConnectError',
        code: 'ECONNREFUSED',
        errno: -111,
        syscall: 'connect',
        errnoClass: 'refused',
        address: '127.0.0.7',
        port,
      })
      expect(error.message).toMatch(new RegExp(`^connect ECONNREFUSED 127\\.0\\.0\\.7:${port}: .+; .+`))
      expect(error.errors).toMatchObject(
        ['127.0.0.5', '127.0.0.6', '127.0.0.7'].map((address) => ({ code: 'ECONNREFUSED', address, port })),
      )
      expect(JSON.parse(JSON.stringify(error)).errors).toHaveLength(3)
      expect(error.attempts).toMatchObject(
        ['127.0.0.5', '127.0.0.6', '127.0.0.7'].map((address) => ({
          endpoint: `${address}:${port}`,
          engine,
          code: 'ECONNREFUSED',
          errnoClass: 'refused',
        })),
      )
      for (const { startedAt, durationMs } of error.attempts) {
        expect(Number.isInteger(startedAt)).toBe(true)
        expect(Math.abs(Date.now() - startedAt)).toBeLessThan(60_000)
        expect(durationMs).toBeGreaterThanOrEqual(0)
      }
      expect(held()).toEqual(before)
    })

    it('may be none', async () => {
      const error = await failureOf(manager.connect('service.test:1', { lookup: addresses() }))
      expect(error).toMatchObject({ code: 'ENOTFOUND', hostname: 'service.test', errnoClass: 'name', attempts: [] })
    })

    it('must be numeric', async () => {
      await expect(manager.connect('service.test:1', { lookup: addresses('other.test') })).rejects.toThrow(
        /other\.test/,
      )
    })
  })

  describe('an AF_UNIX error', () => {
    it('tells the path', async () => {
      const error = await failureOf(manager.connect('unix:/nonexistent/socket'))
      expect(error).toMatchObject({ code: 'ENOENT', errnoClass: 'refused', path: '/nonexistent/socket' })
      expect(error.message).toMatch(/^connect ENOENT \/nonexistent\/socket: /)
      expect(error).not.toHaveProperty('address')
      expect(error).not.toHaveProperty('errors')
    })
  })

  describe('a source that cannot be had', () => {
    it.each<[string, ConnectOptions, string]>([
      ['an address of nobody here', { localAddress: '10.255.255.1' }, 'bind EADDRNOTAVAIL 10.255.255.1: '],
      ['and a port', { localAddress: '10.255.255.1', localPort: 9 }, 'bind EADDRNOTAVAIL 10.255.255.1:9: '],
    ])('is what the error names, as Node’s does: %s', async (_, options, message) => {
      const before = held()
      const error = await failureOf(manager.connect(targets.accept, options))
      const node = await new Promise<Error>((resolve) => {
        net.connect({ host: '127.0.0.1', port: portOf(targets.accept), ...(options as object) }).on('error', resolve)
      })
      expect(message.startsWith(node.message.split(' - ')[0]!)).toBe(true)
      expect(error.message.slice(0, message.length)).toBe(message)
      expect(error).toMatchObject({ syscall: 'bind', errnoClass: 'misuse', address: '10.255.255.1' })
      expect(error.port).toBe(options.localPort)
      expect(error.attempts).toMatchObject([{ endpoint: targets.accept }])
      expect(held()).toEqual(before)
    })

    it('because its port is in use', async () => {
      const taken = portOf(targets.accept)
      for (const localAddress of ['127.0.0.1', undefined]) {
        const error = await failureOf(manager.connect(targets.accept, { localAddress, localPort: taken }))
        const address = localAddress ?? '0.0.0.0'
        expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', errnoClass: 'misuse', address, port: taken })
        expect(error.message.startsWith(`bind EADDRINUSE ${address}:${taken}: `)).toBe(true)
      }
    })

    it('leaves a check’s result the address of its target', async () => {
      const port = portOf(targets.accept)
      const told = { status: 'unknown', code: 'EADDRNOTAVAIL', errnoClass: 'misuse', address: '127.0.0.1', port }
      for (const target of [targets.accept, `service.test:${port}`]) {
        const options = { localAddress: '10.255.255.1', lookup: addresses('127.0.0.1') }
        for await (const result of manager.check([target], options)) expect(result).toMatchObject(told)
      }
    })
  })

  describe('a source of the other family', () => {
    const port = () => portOf(targets.accept)

    it.each([
      ['[::1]', '127.0.0.1', 'IPv4'],
      ['[::ffff:127.0.0.1]', '127.0.0.1', 'IPv4'],
      ['127.0.0.1', '::1', 'IPv6'],
    ])('is refused in plain words: to %s from %s', async (host, localAddress, family) => {
      const target = `${host}:${port()}`
      const error = await failureOf(manager.connect(target, { localAddress }))
      expect(error).toMatchObject({
        code: 'EAFNOSUPPORT',
        syscall: 'bind',
        errnoClass: 'misuse',
        address: localAddress,
      })
      expect(error.message).toMatch(
        new RegExp(`^bind EAFNOSUPPORT ${localAddress}: the source address is ${family}, and `),
      )
      expect(error.attempts).toEqual([])
      for await (const result of manager.check([target], { localAddress }))
        expect(result).toMatchObject({ status: 'unknown', code: 'EAFNOSUPPORT', errnoClass: 'misuse', attempts: 0 })
    })

    it('leaves the addresses of a name that are of its own', async () => {
      const target = `service.test:${port()}`
      const options = { localAddress: '127.0.0.9', lookup: addresses('::1', '127.0.0.5') }
      const socket = await manager.connect(target, options)
      expect(socket).toMatchObject({ remoteAddress: '127.0.0.5', localAddress: '127.0.0.9' })
      await closeSocket(socket)
      // Of those it rules out nothing is said, unless there is nothing else.
      const refused = `service.test:${portOf(targets.refuse)}`
      for await (const result of manager.check([refused], options))
        expect(result).toMatchObject({ status: 'down', code: 'ECONNREFUSED', address: '127.0.0.5', attempts: 1 })
      const error = await failureOf(manager.connect(target, { ...options, lookup: addresses('::1', '::2') }))
      expect(error).toMatchObject({ code: 'EAFNOSUPPORT', syscall: 'bind', attempts: [] })
      expect(error.errors).toHaveLength(2)
    })
  })

  describe('a block list', () => {
    const blockList = new net.BlockList()
    blockList.addSubnet('127.0.0.0', 24, 'ipv4')
    blockList.addAddress('::1', 'ipv6')

    it.each([
      '127.0.0.1',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::1]',
      '0.0.0.0',
      '[::]',
      '[::ffff:0.0.0.0]',
      '[::127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[64:ff9b:1::7f00:1]',
      '[2002:7f00:1::]',
      '[2001::c000:201:0:0:80ff:fffe]',
    ])('bars %s', async (host) => {
      const error = await failureOf(manager.connect(`${host}:${portOf(targets.accept)}`, { blockList }))
      expect(error).toMatchObject({ code: 'ERR_BLOCKED', errnoClass: 'denied', attempts: [] })
    })

    it('is applied to what a name resolves to, and lets the others through', async () => {
      const lookup = addresses('127.0.0.1', '::ffff:127.0.0.1', '127.0.1.1')
      const socket = await manager.connect(`service.test:${portOf(targets.accept)}`, { lookup, blockList })
      expect(socket.remoteAddress).toBe('127.0.1.1')
      await closeSocket(socket)
      const barred = manager.connect('service.test:1', { lookup: addresses('127.0.0.1', '::1'), blockList })
      const error = await failureOf(barred)
      expect(error.errors?.map((each) => (each as ConnectError).code)).toEqual(['ERR_BLOCKED', 'ERR_BLOCKED'])
    })
  })

  describe('TLS', () => {
    const certificate = selfSigned()
    const server = tls.createServer(certificate, (peer) => peer.on('error', () => {}).end('secret'))
    let port: number
    beforeAll(async () => {
      server.on('tlsClientError', () => {})
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as net.AddressInfo).port
    })
    afterAll(() => {
      server.close()
    })

    /** The peer's end is in this process too, and closes a little later. */
    const settledTo = (before: ReturnType<typeof held>) => expect.poll(held).toEqual(before)

    it('on top: by name and by address', async () => {
      const before = held()
      const options = { tls: { ca: certificate.cert }, lookup: addresses('127.0.0.1') }
      for (const host of ['localhost', '127.0.0.1']) {
        const socket = (await manager.connect({ host, port }, options)) as tls.TLSSocket
        expect(socket).toBeInstanceOf(tls.TLSSocket)
        expect(socket.authorized).toBe(true)
        let text = ''
        for await (const chunk of socket) text += chunk
        expect(text).toBe('secret')
        await closeSocket(socket)
      }
      await settledTo(before)
    })

    it.each<[string, ConnectOptions['tls'], string, RegExp]>([
      [
        'a certificate nobody vouches for',
        true,
        'DEPTH_ZERO_SELF_SIGNED_CERT',
        /^the certificate is self-signed, .+; pass it as tls\.ca/,
      ],
      [
        'another name’s certificate',
        { ca: certificate.cert, servername: 'other.test' },
        'ERR_TLS_CERT_ALTNAME_INVALID',
        /^the certificate is for another name; connect to one of its names/,
      ],
      [
        'what the caller’s own look at it finds wrong',
        { ca: certificate.cert, checkServerIdentity: () => new Error('it is Monday') },
        'EPROTO',
        /^it is Monday$/,
      ],
    ])('refuses %s, says what to do, and closes both', async (_, options, code, words) => {
      const before = held()
      for (const host of ['127.0.0.1', 'localhost']) {
        const error = await failureOf(manager.connect({ host, port }, { tls: options, lookup: addresses('127.0.0.1') }))
        expect(error).toBeInstanceOf(ConnectError)
        expect(error).toMatchObject({ code, errnoClass: 'protocol', syscall: 'tls', attempts: [{ engine }] })
        expect(error).toMatchObject({ address: '127.0.0.1', port, cause: expect.any(Error) })
        expect(error.hostname).toBe(host === 'localhost' ? host : undefined)
        const place = `tls ${code} 127.0.0.1:${port}: `
        expect(error.message.slice(0, place.length)).toBe(place)
        expect(error.message.slice(place.length)).toMatch(words)
      }
      await settledTo(before)
    })

    it('cancelled before it begins ends at once, and closes both', async () => {
      const before = held()
      const call = callOver(`localhost:${port}`, { startsAtOnce: true } as Engine, {} as Resolver, { tls: true })
      call.cancellation.request(() => new Error('enough'))
      const told = vi.spyOn(call.cancellation, 'onRequest')
      const socket = net.connect({ host: '127.0.0.1', port })
      await once(socket, 'connect')
      await expect(secure(socket, call)).rejects.toThrow('enough')
      call.end()
      expect(told.mock.results).toMatchObject([{ type: 'return' }])
      expect(socket.closed).toBe(true)
      await settledTo(before)
    })

    it('is part of a check, where it is asked for', async () => {
      const before = held()
      const target = `localhost:${port}`
      const lookup = addresses('127.0.0.1')
      for await (const result of manager.check([target], { tls: { ca: certificate.cert }, lookup }))
        expect(result).toMatchObject({ target, status: 'up', address: '127.0.0.1', attempts: 1 })
      for await (const result of manager.check([target], { tls: true, lookup }))
        expect(result).toMatchObject({
          ...{ target, status: 'down', errnoClass: 'protocol', attempts: 1, address: '127.0.0.1', port },
          reason: 'The certificate is self-signed, and none of those trusted here.',
        })
      await settledTo(before)
    })

    it('of a peer that speaks something else is a protocol error, and one that resets is refused', async () => {
      const before = held()
      const rude = net
        .createServer((peer) =>
          peer
            .on('error', () => {})
            .resume()
            .end('SSH-2.0-rude\r\n'),
        )
        .listen(0, '127.0.0.1')
      await once(rude, 'listening')
      const rudePort = (rude.address() as net.AddressInfo).port
      const error = await failureOf(manager.connect({ host: '127.0.0.1', port: rudePort }, { tls: true }))
      expect(error).toMatchObject({ errnoClass: 'protocol', syscall: 'tls' })
      expect(error.message).toMatch(/: what the other side said is not TLS; check that the port is the right service’s/)
      expect(error.message).toMatch(/^[^\n]+$/)
      rude.close()
      const reset = await failureOf(manager.connect(targets.reset, { tls: true }))
      expect(reset).toMatchObject({ code: 'ECONNRESET', errnoClass: 'refused' })
      await settledTo(before)
    })
  })

  describe('connect of its own', () => {
    it('is the default manager’s', async () => {
      const socket = await connect(targets.accept)
      expect(socket.readableFlowing).toBeNull()
      await closeSocket(socket)
      await expect(connect(targets.refuse)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    })

    it('refuses what it cannot read', async () => {
      await expect(connect('nonsense')).rejects.toThrow(/nonsense/)
      await expect(connect('a.test:99999')).rejects.toThrow(/99999/)
      await expect(connect(undefined as never)).rejects.toThrow()
    })
  })
})
