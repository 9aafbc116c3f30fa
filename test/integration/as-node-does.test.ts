/** What Node says to odd options, names and look-ups, it says on our surfaces too: each is asked of Node's net first. */
import http from 'node:http'
import net from 'node:net'
import { inspect } from 'node:util'
import { ConnectionManager } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { createConnection } from 'cancelpoint/net'
import { connector } from 'cancelpoint/undici'
import { Client } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const targets = useStations()
type Connect = (...given: never[]) => net.Socket
type Told = (error: Error | null, address?: unknown, family?: unknown) => void

/** A look-up that tells this, alone or in a list as it is asked for. */
const tells = (address: unknown, family?: unknown) => (_name: string, options: { all?: boolean }, done: Told) =>
  setImmediate(() => (options.all ? done(null, [{ address, family }]) : done(null, address, family)))
const fails = (more: object) => (_name: string, _options: object, done: Told) =>
  setImmediate(done, Object.assign(new Error('mine'), more))
const named = (lookup: unknown, more: object = {}) => [{ host: 'name.test', port: 1, lookup, ...more }]
const at = (more: object) => [{ host: '127.0.0.1', port: 1, ...more }]
const named1 = (host: unknown) => [{ host, port: 1 }]

const cases: [string, unknown[]][] = [
  ['a look-up that tells another family than asked', named(tells('::1', 6), { family: 4 })],
  ['the same, in a list', named(tells('::1', 6), { family: 4, autoSelectFamily: true })],
  ['a look-up that tells family 5', named(tells('127.0.0.1', 5))],
  ['the same, one address', named(tells('127.0.0.1', 5), { autoSelectFamily: false })],
  ['a look-up that tells no family', named(tells('127.0.0.1'), { autoSelectFamily: false })],
  ['a look-up that tells no address', named(tells('x', 4))],
  [
    'a look-up that fails: no such name',
    named(fails({ code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname: 'name.test' })),
  ],
  [
    'a look-up that fails by its own number',
    named(fails({ code: 'ENOTFOUND', errno: -77, syscall: 'mine', hostname: 'name.test' })),
  ],
  [
    'a look-up that fails: again',
    named(fails({ code: 'EAI_AGAIN', errno: -3001, syscall: 'getaddrinfo', hostname: 'name.test' })),
  ],
  ['a look-up that fails by a code of its own', named(fails({ code: 'EMINE', errno: -5 }))],
  [
    'a look-up that throws',
    named(() => {
      throw new TypeError('thrown')
    }),
  ],
  ['a look-up of a name with a space', [{ host: 'a name', port: 1, lookup: tells('127.0.0.1', 4) }]],
  ['a look-up that fails as DNS does', named(fails({ code: 'ENOTFOUND', syscall: 'queryA', hostname: 'name.test' }))],
  ['a name with two dots', named1('a..b')],
  ['a name with a long part', named1(`${'x'.repeat(70)}.test`)],
  ['a name with a space', named1('a b')],
  ['a name of marks', named1('!!!')],
  ['a URL', named1('http://a')],
  ['a short IPv4 address', named1('127.1')],
  ['a hexadecimal IPv4 address', named1('0x7f.1')],
  ['a star', named1('*')],
  ['host 5', named1(5)],
  ['host {}', named1({})],
  ['host ""', named1('')],
  ['host null', named1(null)],
  ...['x', -1, 65_536, 1.5, null, {}, true, [], '', ' 1', '0x1', Number.NaN, undefined].map(
    (port): [string, unknown[]] => [`port ${inspect(port)}`, [{ port, host: '127.0.0.1' }]],
  ),
  ['port 0', [{ port: 0, host: '127.0.0.1' }]],
  ['port 0 of a name', [{ port: 0, host: 'localhost' }]],
  ['family 7', [{ host: 'localhost', port: 1, family: 7 }]],
  ['family x', [{ host: 'localhost', port: 1, family: 'x' }]],
  ['hints 1', [{ host: 'localhost', port: 1, hints: 1 }]],
  ['localAddress x', at({ localAddress: 'x' })],
  ['localAddress of another machine', at({ localAddress: '192.0.2.1' })],
  ['localPort x', at({ localPort: 'x' })],
  ['autoSelectFamilyAttemptTimeout 0', at({ autoSelectFamilyAttemptTimeout: 0 })],
  ['autoSelectFamilyAttemptTimeout x', at({ autoSelectFamilyAttemptTimeout: 'x' })],
  ['timeout x', at({ timeout: 'x' })],
  ['signal 5', at({ signal: 5 })],
  ['objectMode', at({ objectMode: true })],
  ['path 5', [{ path: 5 }]],
  ['path ""', [{ path: '' }]],
  ['()', []],
  ['(null)', [null]],
  ['([])', [[]]],
  ['([port])', [[1]]],
  ['([options])', [[{ port: 1, host: '127.0.0.1' }]]],
  ['({})', [{}]],
  ["('')", ['']],
  ['(true)', [true]],
  ['(-1)', [-1]],
  ['(1.5)', [1.5]],
  ['(1, 5)', [1, 5]],
  ['(70000)', [70_000]],
]

/** How it ends, as far as Node documents it. */
function endOf(connect: Connect, given: unknown[]): Promise<object> {
  const told = ({ name, code, errno, syscall, hostname, address, port, message }: Record<string, unknown>) => {
    const isOurs = name === 'ConnectError'
    const rest =
      isOurs || syscall !== undefined
        ? { errno: errno || undefined, syscall, hostname, address, port }
        : { name, message }
    return { code, ...rest }
  }
  return new Promise((resolve) => {
    try {
      const socket = connect(...(given as never[]))
      let error: object | undefined
      socket.on('error', (thrown) => {
        error = told(thrown as never)
      })
      socket.on('connect', () => socket.destroy())
      socket.on('close', () => resolve(error ?? { connected: true }))
    } catch (thrown) {
      resolve({ thrown: told(thrown as never) })
    }
  })
}

let manager: Awaited<ReturnType<typeof warmManager>>
let idle: ReturnType<typeof held>
const byNode = new Map<string, object>()
let unregister: () => void = () => {}

beforeAll(async () => {
  for (const [name, given] of cases) byNode.set(name, await endOf(net.connect as never, given))
  manager = await warmManager(targets.accept)
  ;({ unregister } = await import('cancelpoint/register'))
  // The shared manager opens for good what it needs.
  await endOf(createConnection as never, named1('localhost'))
  idle = held()
})
afterEach(() => expect.poll(held).toEqual(idle))
afterAll(async () => {
  unregister()
  await manager.close()
})

const ours: [string, Connect][] = [
  ['createConnection', createConnection as never],
  ['net.connect under register', ((...given: [never]) => net.connect(...given)) as never],
]

describe.each(ours)('%s', (_, connect) => {
  it.each(cases)('does as Node does: %s', async (name, given) => {
    expect(await endOf(connect, given)).toEqual(byNode.get(name))
  })
})

describe.each(['a..b', 'a b.test', 'x'.repeat(70)])('a name that cannot be one, %s', (hostname) => {
  const expected = { code: 'ENOTFOUND', errno: -3008, syscall: 'getaddrinfo', hostname }

  it.each<[string, () => http.Agent | undefined]>([
    ['the Agent', () => new Agent({ manager })],
    ['Node’s agent, under register', () => new http.Agent()],
  ])('is not found by %s', async (_, agent) => {
    const error = await new Promise((resolve) => {
      http.get({ host: hostname, port: 1, agent: agent() }).on('error', resolve)
    })
    expect(error).toMatchObject(expected)
  })

  it('is not found by the connector', async () => {
    const error = await new Promise((resolve) => {
      connector({ manager })({ hostname, protocol: 'http:', port: '1' }, (...[failure]) => resolve(failure))
    })
    expect(error).toMatchObject(expected)
  })
})

it('a name that cannot be one is not found by undici under register', async () => {
  const client = new Client('http://a..b:1')
  await expect(client.request({ path: '/', method: 'GET' })).rejects.toMatchObject({ code: 'ENOTFOUND', errno: -3008 })
  await client.close()
})

describe('a manager’s own options', () => {
  it('hold where its look-up knows a name that cannot be one', async () => {
    const knowing = new ConnectionManager({ lookup: async () => ['127.0.0.1'] })
    const end = await endOf(createConnection as never, [{ host: 'a..b', port: 1, manager: knowing }])
    expect(end).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1' })
    await knowing.close()
  })

  it('hold where its family is not the one that a look-up tells', async () => {
    const four = new ConnectionManager({ family: 4 })
    const end = await endOf(createConnection as never, [
      { host: 'name.test', port: 1, lookup: tells('::1', 6), manager: four },
    ])
    expect(end).toMatchObject({ code: 'ENOTFOUND' })
    await four.close()
  })
})
