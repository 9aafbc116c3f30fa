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

  it.skipIf(refused)(`by name is an interface that has any IPv6 address${skipped}`, () => {
    const peers = answerInNamespace('-Urn', 'zones')
    expect(peers).toEqual({ 'fe80::1': 'fe80::1%lo', '2001:db8::1': '2001:db8::1', '::1': '::1' })
  })

  it('of no interface is the caller’s mistake', async () => {
    const error = await manager.open('[fe80::1%none]:80').catch((error) => error)
    expect(error).toMatchObject({ code: 'EINVAL', errnoClass: 'misuse', address: 'fe80::1', attempts: [] })
    expect(error.message).toContain("no interface named 'none' has an IPv6 address")
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
    [[{ address: '127.0.0.1', family: 4 }], "an array with { address: '127.0.0.1', family: 4 }"],
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
