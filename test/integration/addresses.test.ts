/** What the targets and lookups of callers come to as addresses. */
import { ConnectError, ConnectionManager, type ConnectOptions } from 'cancelpoint'
import { afterAll, describe, expect, it } from 'vitest'
import { answerInNamespace, refusalOfNamespace } from '../support/namespace.js'
import { lackingIpv6 } from '../support/sockets.mjs'

const manager = new ConnectionManager({ timeoutMs: 5_000 })
afterAll(() => manager.close())

describe('a zone', () => {
  const refused = lackingIpv6 ?? refusalOfNamespace('-Urn')
  const skipped = refused && `, skipped: ${refused}`

  it.skipIf(refused)(
    `is an interface that has any IPv6 address, by name and by index, also as URLs write it${skipped}`,
    () => {
      const peers = answerInNamespace('-Urn', 'zones')
      expect(peers).toEqual({ 'fe80::1': 'fe80::1%lo', '2001:db8::1': '2001:db8::1', '::1': '::1' })
    },
  )

  it.each([
    ['none', "named 'none'"],
    ['25none', "named 'none'"],
    ['4294967295', 'with index 4294967295'],
    ['25999999', 'with index 999999'],
    ['99999999999', 'with index 99999999999'],
  ])('of no interface is the caller’s mistake: %s', async (zone, which) => {
    const target = `[fe80::1%${zone}]:80`
    const error = await manager.open(target).catch((error) => error)
    expect(error).toMatchObject({ code: 'EINVAL', errnoClass: 'misuse', address: 'fe80::1', attempts: [] })
    expect(error.message).toContain(`no interface ${which} has an IPv6 address`)
    for await (const result of manager.check([target]))
      expect(result).toMatchObject({ target, status: 'unknown', code: 'EINVAL', errnoClass: 'misuse', attempts: 0 })
  })
})

describe('what looks like an address and is none', () => {
  const numbers = ['0x7f.1', '0177.0.0.1', '1.2.3', '2130706433', '127.0.0-1.1-2', '127-128.0.0.1', '10.0.0.*', '1-2']

  it.each(numbers)('is never asked of DNS: %s', async (host) => {
    let asked = 0
    const lookup = async () => {
      asked += 1
      return ['127.0.0.1']
    }
    for (const target of [`${host}:80`, `tcp://${host}:80`, { host, port: 80 }]) {
      expect(await manager.connect(target, { lookup }).catch((error) => error)).toMatchObject({
        code: 'ERR_INVALID_TARGET',
      })
      for await (const result of manager.check([target], { lookup }))
        expect(result).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET', errnoClass: 'misuse' })
    }
    expect(asked).toBe(0)
  })
})

describe('a lookup of the caller’s', () => {
  const failureOf = (lookup: unknown) =>
    manager.open('a.test:80', { lookup: lookup as ConnectOptions['lookup'], retry: false }).catch((error) => error)
  const saying = (code: string) =>
    Object.assign(new Error(`getaddrinfo ${code} a.test`), { code, syscall: 'getaddrinfo' })

  it.each([
    ['ENOTFOUND', 1, 'down'],
    ['EAI_AGAIN', 2, 'unknown'],
  ])('that rejects with %s says so of the name', async (code, tries, status) => {
    const cause = saying(code)
    let asked = 0
    const lookup = () => {
      asked += 1
      return Promise.reject(cause)
    }
    const error = await manager.open('a.test:80', { lookup, retry: { tries: 2, baseMs: 1 } }).catch((error) => error)
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({
      code,
      errnoClass: 'name',
      syscall: 'getaddrinfo',
      hostname: 'a.test',
      attempts: [],
      cause,
    })
    expect(asked).toBe(tries)
    for await (const result of manager.check(['a.test:80'], { lookup }))
      expect(result).toMatchObject({ status, code, errnoClass: 'name', attempts: 0 })
  })

  it('that throws anything else, or a ConnectError of its own, rejects with that', async () => {
    const reasons = [saying('EIO'), new ConnectError({ code: 'EAI_AGAIN', syscall: 'query', errnoClass: 'name' })]
    const rejecting = await failureOf(() => Promise.reject(reasons[0]))
    expect(rejecting).toBe(reasons[0])
    const throwing = await failureOf(() => {
      throw reasons[1]
    })
    expect(throwing).toMatchObject({ code: 'EAI_AGAIN', syscall: 'query' })
  })

  it.each([undefined, null])('that throws %s rejects with an error all the same', async (nothing) => {
    const throwing = () => {
      throw nothing
    }
    for (const lookup of [throwing, async () => throwing()]) {
      const error = await failureOf(lookup)
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe(`${nothing} was thrown by lookup of a.test: expected an Error that says why`)
    }
  })

  it.each<[unknown, string]>([
    ['127.0.0.1', "'127.0.0.1'"],
    [undefined, 'undefined'],
    [['127.0.0.1', 'b.test'], "an array with 'b.test'"],
    [[{ address: '127.0.0.1', family: 4 }], 'an array with {"address":"127.0.0.1","family":4}'],
    [[5], 'an array with 5'],
    [[undefined], 'an array with undefined'],
    [new Array(1), 'an array with undefined'],
  ])('that gives %j hears what was expected', async (given, shown) => {
    const error = await failureOf(async () => given)
    expect(error).toBeInstanceOf(TypeError)
    const expected = "expected an array of numeric addresses, as ['127.0.0.1']"
    expect(error.message).toBe(`lookup of a.test gave ${shown}: ${expected}`)
  })
})
