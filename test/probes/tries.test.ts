/** Tries of a target that speaks: each has a time of its own, wherever it hangs. */
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { CheckOptions, ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { type Peer, resultOf, targetOf } from '../support/peer.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const stations = useStations()
const { key, cert } = selfSigned()
const context = tls.createSecureContext({ key, cert })
const secured: Peer = (socket) =>
  new tls.TLSSocket(socket as Socket, { isServer: true, secureContext: context }).on('error', () => {}).resume()

const silent: Peer = () => {}
const greeting: Peer = (socket) => socket.write('220 hi\r\n')
const greetingInTls: Peer = (socket) => {
  const top = new tls.TLSSocket(socket as Socket, { isServer: true, secureContext: context }).on('error', () => {})
  top.once('secure', () => top.write('220 hi\r\n'))
}

const steps: CheckOptions['steps'] = [{ expect: '220 hi\r\n' }]
const trusted = { ca: cert }
const large = { send: 'x'.repeat(64_000_000) }

// biome-ignore format: a table reads by rows
const hangs: [where: string, hanging: Peer, well: Peer, options: CheckOptions, phase: string, reason: RegExp][] = [
  ['the handshake', silent, secured, { tls: trusted }, 'tls', /The TLS handshake did not end within 300 ms/],
  ['a step', silent, greeting, { steps }, 'expect', /What was expected did not come within 300 ms; it had sent nothing/],
  ['a step over TLS', secured, greetingInTls, { tls: trusted, steps }, 'expect', /did not come within 300 ms/],
  ['a step that sends', (socket) => socket.pause(), (socket) => socket.resume(), { steps: [large] }, 'send', /did not take what was sent within 300 ms/],
]

describe.each(engines)('%s engine', (engine) => {
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(stations.accept, { engine })
  })
  afterAll(() => manager.close())

  const tries = { retry: { tries: 3, baseMs: 1, capMs: 1, budget: Number.POSITIVE_INFINITY }, tryTimeoutMs: 300 }

  it.each(hangs)('a target that hangs once in %s is tried again', async (_, hanging, well, options) => {
    let connections = 0
    const target = await targetOf((socket) => (++connections === 1 ? hanging(socket) : well(socket)))
    const result = await resultOf(manager, target, { ...options, ...tries, timeoutMs: 10_000 })
    expect(result).toMatchObject({ status: 'up', attempts: 2 })
  })

  it.each(hangs)(
    'one that hangs always in %s is down, and says by what',
    async (_, hanging, _well, options, phase, reason) => {
      const target = await targetOf(hanging)
      const startedAt = performance.now()
      const result = await resultOf(manager, target, { ...options, ...tries, timeoutMs: 10_000 })
      const tookMs = performance.now() - startedAt
      expect(result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', errnoClass: 'timed-out', phase })
      expect(result.reason).toMatch(reason)
      expect(result.attempts).toBeGreaterThan(1)
      expect(tookMs).toBeGreaterThan(result.attempts * 290)
      expect(tookMs).toBeLessThan(result.attempts * 300 + 1_500)
    },
  )

  it('the time of all tries goes before that of one', async () => {
    const target = await targetOf(silent)
    const result = await resultOf(manager, target, { steps, ...tries, timeoutMs: 450 })
    expect(result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', attempts: 2 })
    expect(result.reason).toContain('within 450 ms')
  })

  it('a check that is aborted in a try lets go of it', async () => {
    const target = await targetOf(silent)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    const options = { steps, ...tries, timeoutMs: 10_000, signal: controller.signal }
    await expect(resultOf(manager, target, options)).rejects.toMatchObject({ name: 'AbortError' })
  })
})
