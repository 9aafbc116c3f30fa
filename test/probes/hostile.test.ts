/** Peers that are slow, endless, garbled, or gone, at each point of a probe: the right verdict, and nothing left. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import type { CheckOptions, CheckResult, ConnectionManager, ProbeStep } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const stations = useStations()
const { key, cert } = selfSigned()
const trusted = { ca: cert }
const timeoutMs = 400

type Peer = (socket: Socket) => void

const say =
  (...parts: (string | Buffer)[]): Peer =>
  (socket) => {
    for (const part of parts) socket.write(part)
  }
const close: Peer = (socket) => void socket.end()
const reset: Peer = (socket) => void socket.resetAndDestroy()
const both =
  (...peers: Peer[]): Peer =>
  (socket) => {
    for (const peer of peers) peer(socket)
  }

/** Once the probe has said something. */
const then =
  (peer: Peer): Peer =>
  (socket) =>
    void socket.once('data', () => peer(socket))

/** `text` again and again, for as long as the probe takes it. */
const endlessly =
  (text: string): Peer =>
  (socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(text));
    }
    socket.on('drain', more)
    more()
  }

const dribble =
  (text: string, everyMs: number): Peer =>
  (socket) => {
    let at = 0
    const timer = setInterval(() => {
      if (at === text.length || socket.destroyed) clearInterval(timer)
      else socket.write(text[at++]!)
    }, everyMs)
    socket.once('close', () => clearInterval(timer))
  }

const secured = (peer: Peer): Peer => {
  const context = tls.createSecureContext({ key, cert })
  return (socket) => {
    const top = new tls.TLSSocket(socket, { isServer: true, secureContext: context })
    top.on('error', () => {}).once('secure', () => peer(top))
  }
}

const answerThenTls = (answer: string, peer: Peer): Peer =>
  then((socket) => {
    socket.write(answer)
    secured(peer)(socket)
  })

const greets: ProbeStep = { expect: /^220 .*\r\n/ }
const starttls: readonly ProbeStep[] = [{ send: 'STARTTLS\r\n' }, greets, { starttls: trusted }]
/** Of a TLS record that says 64 bytes follow, and none do. */
const halfRecord = Buffer.from('1603030040020000', 'hex')

type Row = [what: string, peer: Peer, options: CheckOptions, expected: Partial<CheckResult>]
const down = (code: string, phase: CheckResult['phase'], more: Partial<CheckResult> = {}): Partial<CheckResult> => ({
  status: 'down',
  code,
  phase: phase!,
  ...more,
})

// biome-ignore format: a table reads by rows
const rows: Row[] = [
  ['greets', say('220 hi\r\n'), { steps: [greets] }, { status: 'up' }],
  ['greets in pieces', dribble('220 hi\r\n', 5), { steps: [greets], timeoutMs: 5_000 }, { status: 'up' }],
  ['greets and closes', both(say('220 hi\r\n'), close), { steps: [greets] }, { status: 'up' }],
  ['says nothing', () => {}, { steps: [greets] }, down('ETIMEDOUT', 'expect', { step: 0, errnoClass: 'timed-out' })],
  ['closes at once', close, { steps: [greets] }, down('ERR_EXPECT', 'expect', { step: 0, errnoClass: 'protocol' })],
  ['says a part and closes', both(say('220 h'), close), { steps: [greets] }, down('ERR_EXPECT', 'expect')],
  ['says something else', say('554 no\r\n'), { steps: [greets] }, down('ETIMEDOUT', 'expect')],
  ['resets once it is spoken to', then(reset), { steps: [{ send: 'x' }, greets] }, down('ECONNRESET', 'expect', { step: 1 })],
  ['closes before the second answer', both(say('220 hi\r\n'), then(close)), { steps: [greets, { send: 'x' }, { expect: 'OK' }] }, down('ERR_EXPECT', 'expect', { step: 2 })],
  ['never ends to talk', endlessly('blah '), { steps: [greets] }, down('ERR_EXPECT', 'expect', { errnoClass: 'protocol' })],
  ['never ends, and has said it', endlessly('220 hi\r\n'), { steps: [greets] }, { status: 'up' }],
  ['sends a byte at a time for ever', dribble('x'.repeat(10_000), 1), { steps: [greets] }, down('ETIMEDOUT', 'expect')],
  ['sends garbage', say(Buffer.from([0xff, 0xfe, 0, 27, 0x5b, 0x32, 0x4a])), { steps: [{ expect: 'OK' }] }, down('ETIMEDOUT', 'expect')],
  ['sends what is looked for as bytes', say(Buffer.from([1, 0xff, 0])), { steps: [{ expect: new Uint8Array([0xff, 0]) }] }, { status: 'up' }],
  ['does not read', (socket) => void socket.pause(), { steps: [{ send: 'x'.repeat(64_000_000) }] }, down('ETIMEDOUT', 'send', { step: 0 })],
  ['closes while it is sent to', then(reset), { steps: [{ send: 'x'.repeat(64_000_000) }] }, down('ECONNRESET', 'send', { step: 0 })],
  ['fills what may be read', say('12345678'), { steps: [{ expect: '9', maxBytes: 8 }] }, down('ERR_EXPECT', 'expect')],
  ['has said it at the bound', say('12345678'), { steps: [{ expect: '8', maxBytes: 8 }] }, { status: 'up' }],
  ['has said it beyond the bound', say('123456789'), { steps: [{ expect: '9', maxBytes: 8 }] }, down('ERR_EXPECT', 'expect')],

  ['is silent in the handshake', () => {}, { tls: true }, down('ETIMEDOUT', 'tls')],
  ['closes in the handshake', then(close), { tls: true }, down('ECONNRESET', 'tls', { errnoClass: 'refused' })],
  ['resets in the handshake', then(reset), { tls: true }, down('ECONNRESET', 'tls')],
  ['sends half a record', then(say(halfRecord)), { tls: true }, down('ETIMEDOUT', 'tls')],
  ['sends half a record and closes', then(both(say(halfRecord), close)), { tls: true }, down('ECONNRESET', 'tls')],
  ['speaks plain text to TLS', then(say('HTTP/1.1 400 Bad Request\r\n\r\n')), { tls: true }, down('ERR_SSL_WRONG_VERSION_NUMBER', 'tls', { errnoClass: 'protocol' })],
  ['shows a certificate nobody trusts', secured(() => {}), { tls: true }, down('DEPTH_ZERO_SELF_SIGNED_CERT', 'tls')],
  ['speaks TLS', secured(say('220 hi\r\n')), { tls: trusted, steps: [greets] }, { status: 'up' }],
  ['closes after the handshake', secured(close), { tls: trusted, steps: [greets] }, down('ERR_EXPECT', 'expect', { step: 0 })],
  ['is silent after the handshake', secured(() => {}), { tls: trusted, steps: [greets] }, down('ETIMEDOUT', 'expect')],
  ['never ends to talk in TLS', secured(endlessly('blah ')), { tls: trusted, steps: [greets] }, down('ERR_EXPECT', 'expect')],

  ['changes to TLS', answerThenTls('220 go\r\n', say('220 hi\r\n')), { steps: [...starttls, greets] }, { status: 'up' }],
  ['does not change to TLS', then(say('220 go\r\n')), { steps: starttls }, down('ETIMEDOUT', 'tls', { step: 2 })],
  ['closes in place of TLS', then(both(say('220 go\r\n'), close)), { steps: starttls }, down('ECONNRESET', 'tls', { step: 2 })],
  ['smuggles an answer before TLS', then(say('220 go\r\n220 hi\r\n')), { steps: [...starttls, greets] }, down('ERR_STARTTLS', 'tls', { step: 2, errnoClass: 'protocol' })],
  ['ends the line that was expected', answerThenTls('220 go on\r\n', say('x')), { steps: [{ send: 'S' }, { expect: '220' }, { starttls: trusted }] }, { status: 'up' }],
  ['smuggles after the line that was expected', then(say('220 go on\r\nx')), { steps: [{ send: 'S' }, { expect: '220' }, { starttls: trusted }] }, down('ERR_STARTTLS', 'tls')],
  ['says a byte more than the bytes that were expected', then(say('SX')), { steps: [{ send: 'S' }, { expect: new Uint8Array([83]) }, { starttls: trusted }] }, down('ERR_STARTTLS', 'tls')],
]

describe.each(engines)('%s engine: a peer that', (engine) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(stations.accept, { engine })
  })
  afterAll(() => manager.close())

  it.each(rows)('%s', async (_, peer, options, expected) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {}).resume()
      peer(socket)
    })
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const before = held()
    const results: CheckResult[] = []
    for await (const result of manager.check([`127.0.0.1:${port}`], { timeoutMs, ...options })) results.push(result)
    expect(results).toHaveLength(1)
    expect(results[0]).toMatchObject({ attempts: 1, ...expected })
    if (expected.status === 'up') expect(results[0]).not.toHaveProperty('step')
    else expect(results[0]!.reason).toMatch(/^[A-Z].*\.$/)
    for (const socket of sockets) socket.destroy()
    await expect.poll(held).toEqual(before)
  })

  it.each<[string, Peer, CheckOptions]>([
    ['is waited for', () => {}, { steps: [greets] }],
    ['does not take what is sent', (socket) => void socket.pause(), { steps: [{ send: 'x'.repeat(64_000_000) }] }],
    ['is silent in the handshake', () => {}, { tls: true }],
    ['sends byte by byte', dribble('x'.repeat(10_000), 1), { steps: [greets] }],
  ])('%s is let go of when the check is aborted', async (_, peer, options) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {}).resume()
      peer(socket)
    })
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const before = held().descriptors
    const controller = new AbortController()
    server.once('connection', () => setTimeout(() => controller.abort(), 30))
    const results: CheckResult[] = []
    const run = async () => {
      const { signal } = controller
      for await (const result of manager.check([`127.0.0.1:${port}`], { ...options, signal })) results.push(result)
    }
    await expect(run()).rejects.toMatchObject({ name: 'AbortError' })
    expect(results).toEqual([])
    expect(held().descriptors).toBe(before)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
})
