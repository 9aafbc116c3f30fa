/** Answers that come in pieces, after other messages, or at length: what is said decides, and not how it travels. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { CheckOptions, CheckResult, ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { presetSteps } from '#internal/check/presets/index'
import { selfSigned } from '../support/certificate.js'
import { inSegments, type Peer, resultOf, targetOf } from '../support/peer.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept)
})
afterAll(() => manager.close())

/** One of several at once. */
async function only(target: string, options: CheckOptions): Promise<CheckResult> {
  for await (const result of manager.check([target], options)) return result
  throw new Error('no result')
}

describe('an answer of PostgreSQL', () => {
  const message = (kind: string, body: string | Buffer): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(4 + Buffer.byteLength(body))
    return Buffer.concat([Buffer.from(kind), length, Buffer.from(body)])
  }
  const fields = (...given: string[]) => `${given.join('\0')}\0\0`
  const notice = (size: number) => message('N', fields('SNOTICE', `M${'x'.repeat(size)}`))
  const welcome = message('R', Buffer.alloc(4))
  const busy = message('E', fields('SFATAL', 'VFATAL', 'C57P03', 'Mthe database system is starting up'))
  const denied = (words: string) => message('E', fields('SFATAL', 'VFATAL', 'C28000', `M${words}`))

  const cutAt = (bytes: Buffer, size: number): Buffer[] =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))

  it.each<[what: string, parts: Buffer[], status: string, reason?: RegExp]>([
    ['nothing before it', [welcome], 'up'],
    ['a word on the version', [Buffer.concat([message('v', Buffer.alloc(8)), welcome])], 'up'],
    ['notices of 50,000 bytes in all', [Buffer.concat([...Array(500).fill(notice(90)), welcome])], 'up'],
    ['one notice of 29,000 bytes', [Buffer.concat([notice(29_000), welcome])], 'up'],
    ['notices in odd pieces', cutAt(Buffer.concat([notice(4_090), notice(0), notice(5_000), welcome]), 1_021), 'up'],
    ['notices, a byte at a time', cutAt(Buffer.concat([notice(1), notice(2), welcome]), 1), 'up'],
    ['an error after notices', [Buffer.concat([notice(6_000), busy])], 'down', /starting up/],
    ['a short error', [denied('no')], 'up'],
    ['an error of 20,000 bytes', [denied('no'.repeat(10_000))], 'up'],
    ['notices and the end', [notice(6_000)], 'down', /closed the connection/],
    ['a part of a notice and the end', [notice(6_000).subarray(0, 5_000)], 'down', /closed the connection/],
    ['a notice that is text', [Buffer.from('NOTICE AUTH :*** Looking up your hostname\r\n')], 'down', /does not speak/],
    ['an error that is text', [Buffer.from('ERROR\r\n')], 'down', /does not speak/],
    ['a notice shorter than its own length', [Buffer.from('N\0\0\0\u0003')], 'down', /does not speak/],
    [
      'garbage after a notice',
      [Buffer.concat([notice(6_000), Buffer.from([0, 255, 1]), Buffer.alloc(9, 200)])],
      'down',
      /does not speak/,
    ],
  ])('after %s', async (_, parts, status, reason = /^$/) => {
    const target = await targetOf(async (socket) => {
      socket.resume()
      await inSegments(socket, parts, 1)
      socket.end()
    })
    const result = await resultOf(manager, target, { steps: presetSteps({ probe: 'postgres' }), timeoutMs: 3_000 })
    expect(result).toMatchObject({ status })
    expect(result.reason ?? '').toMatch(reason)
  })

  it('after notices without end: the time runs out, and no memory with it', async () => {
    const target = await targetOf((socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(notice(3_000)));
      }
      socket.on('drain', more).resume()
      more()
    })
    const before = process.memoryUsage().arrayBuffers
    const result = await resultOf(manager, target, { steps: presetSteps({ probe: 'postgres' }), timeoutMs: 500 })
    expect(result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', phase: 'expect' })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64_000_000)
  })
})

describe('the line before TLS', () => {
  const { key, cert } = selfSigned()
  const context = tls.createSecureContext({ key, cert })
  const secured: Peer = (socket) => {
    new tls.TLSSocket(socket as Socket, { isServer: true, secureContext: context }).on('error', () => {}).resume()
  }
  const line = '220 go on\r\n'
  const starttls = { starttls: { ca: cert } }

  /** Sends the parts in segments of their own, once it is spoken to or at once, and then speaks TLS. */
  const answering = (parts: readonly string[], everyMs: number, spokenTo: boolean): Promise<string> =>
    targetOf(async (socket) => {
      if (spokenTo) await once(socket, 'data')
      await inSegments(socket, parts, everyMs)
      secured(socket)
    })

  const cuts = Array.from({ length: line.length - 1 }, (_, i) => i + 1)
  const expectations = ['2', '220', '220 go', '220 go on\r', line, /^220/, /^220 .*\r\n/, /^220 g?o?/]
  describe.each([true, false])('spoken to first: %s', (spokenTo) => {
    it.each(expectations)('%o: is up wherever the line is cut', async (expected) => {
      const steps = [...(spokenTo ? [{ send: 'STARTTLS\r\n' }] : []), { expect: expected }, starttls]
      const all = cuts.map(async (cut) => {
        const target = await answering([line.slice(0, cut), line.slice(cut)], 30, spokenTo)
        return { cut, ...(await only(target, { steps, timeoutMs: 5_000 })) }
      })
      for (const result of await Promise.all(all)) expect(result).toMatchObject({ status: 'up' })
    })
  })

  it.each(cuts)('what follows the line is refused, cut at %d', async (cut) => {
    const target = await targetOf(async (socket) => {
      await once(socket, 'data')
      await inSegments(socket, [line.slice(0, cut), `${line.slice(cut)}250 smuggled\r\n`], 20)
      secured(socket)
    })
    const steps = [{ send: 'STARTTLS\r\n' }, { expect: '220' }, starttls]
    expect(await only(target, { steps, timeoutMs: 2_000 })).toMatchObject({ status: 'down', code: 'ERR_STARTTLS' })
  })

  it.each<[what: string, send: string | Uint8Array, answer: string]>([
    ['a letter to bytes', new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]), 'S'],
    ['an element to an element', "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", '<proceed/>'],
  ])('a protocol without lines is not waited for: %s', async (_, send, answer) => {
    const target = await answering([answer], 0, true)
    const startedAt = performance.now()
    const steps = [{ send }, { expect: answer }, starttls]
    expect(await only(target, { steps, timeoutMs: 5_000 })).toMatchObject({ status: 'up' })
    expect(performance.now() - startedAt).toBeLessThan(900)
  })

  it('a line that never ends, of a peer that waits for TLS, fails no target', async () => {
    const target = await answering(['220 go'], 0, true)
    const steps = [{ send: 'STARTTLS\r\n' }, { expect: '220 go' }, starttls]
    expect(await only(target, { steps, timeoutMs: 1_000 })).toMatchObject({ status: 'up' })
  })

  it('a peer that ends within its line is told so', async () => {
    const target = await targetOf(async (socket) => {
      await once(socket, 'data')
      socket.end('220 go')
    })
    const steps = [{ send: 'STARTTLS\r\n' }, { expect: '220' }, starttls]
    const result = await only(target, { steps, timeoutMs: 1_000 })
    expect(result).toMatchObject({ status: 'down', code: 'ERR_EXPECT' })
    expect(result.reason).toContain('closed the connection before it had sent the end of its line')
  })
})

describe('the end of a probe whose peer still speaks', () => {
  const head = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'
  /** What the server saw: whether all of its answer was taken, and the end of the connection. */
  interface Seen {
    all: boolean
    end: string
  }

  /** Answers with `parts`, and ends; tells how its side of the connection went. */
  async function answering(parts: readonly (string | Buffer)[], everyMs: number, ends = true) {
    let resolve!: (seen: Seen) => void
    const promise = new Promise<Seen>((settle) => {
      resolve = settle
    })
    const target = await targetOf(
      async (socket) => {
        const seen: Seen = { all: false, end: 'nothing' }
        socket.on('error', (error: NodeJS.ErrnoException) => {
          seen.end = error.code!
        })
        socket.on('end', () => {
          seen.end = 'end'
          if (!ends) socket.end()
        })
        socket
          .once('close', () => resolve(seen))
          .once('finish', () => {
            seen.all = true
          })
        await once(socket.resume(), 'data')
        await inSegments(socket, parts, everyMs)
        if (ends) socket.end()
      },
      { allowHalfOpen: true },
    )
    return { target, seen: promise }
  }

  const preset = { steps: presetSteps({ probe: 'http' }) }
  const own = { steps: [{ send: 'GET / HTTP/1.0\r\n\r\n' }, { expect: '200 OK' }] }
  const body = Buffer.alloc(200_000, 'x')

  it.each<[what: string, parts: (string | Buffer)[], everyMs: number, options: CheckOptions]>([
    ['a short answer', [`${head}hello`], 0, preset],
    ['a large body', [head, body], 0, preset],
    ['a status line by itself', ['HTTP/1.1 200 OK\r\n', 'Connection: close\r\n\r\n', body], 30, preset],
    ['a body in pieces', [head, ...Array<Buffer>(20).fill(body.subarray(0, 9_000))], 10, preset],
    ['steps of one’s own', [head, body], 0, own],
  ])('%s: the server sees an end, and no reset', async (_, parts, everyMs, options) => {
    const { target, seen } = await answering(parts, everyMs)
    expect(await resultOf(manager, target, options)).toMatchObject({ status: 'up' })
    expect(await seen).toEqual({ all: true, end: 'end' })
  })

  it('a server that does not end by itself is left after a moment', async () => {
    const { target, seen } = await answering([`${head}hello`], 0, false)
    const startedAt = performance.now()
    expect(await resultOf(manager, target, preset)).toMatchObject({ status: 'up' })
    expect(performance.now() - startedAt).toBeLessThan(600)
    expect(await seen).toEqual({ all: true, end: 'end' })
  })

  const endless = () =>
    targetOf((socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(body));
      }
      socket.once('data', () => {
        socket.write(head)
        socket.on('drain', more)
        more()
      })
    })

  it('a body without end is cut off', async () => {
    const startedAt = performance.now()
    expect(await resultOf(manager, await endless(), preset)).toMatchObject({ status: 'up' })
    expect(performance.now() - startedAt).toBeLessThan(1_500)
  })

  it('a check that is aborted meanwhile does not wait for it', async () => {
    const target = await targetOf((socket) => {
      socket.once('data', () => {
        socket.write(head)
        const timer = setInterval(() => socket.write('x'), 20)
        socket.once('close', () => clearInterval(timer))
      })
    })
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 150)
    const startedAt = performance.now()
    await expect(resultOf(manager, target, { ...preset, signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect(performance.now() - startedAt).toBeLessThan(700)
  })
})
