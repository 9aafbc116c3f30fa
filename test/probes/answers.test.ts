/** Answers that come in pieces, after other messages, or at length: what is said decides, and not how it travels. */
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { presetSteps } from '#internal/check/presets/index'
import { inSegments, resultOf, targetOf } from '../support/peer.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const stations = useStations()
let manager: ConnectionManager
beforeAll(async () => {
  manager = await warmManager(stations.accept)
})
afterAll(() => manager.close())

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
