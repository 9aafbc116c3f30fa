import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expandTargets } from '../../src/core/expand.js'
import { hostKey, isInShard, networkOf } from '../../src/core/shard.js'
import { parseTarget } from '../../src/core/target.js'

const inShard = (text: string, index: number, count: number) => isInShard(parseTarget(text), { index, count })
const shardOf = (text: string, count: number) =>
  Array.from({ length: count }, (_, index) => index + 1).filter((index) => inShard(text, index, count))

const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.domain(),
)

describe('isInShard', () => {
  it('has each host in one shard, with all its ports', () => {
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 40 }), (host, count) => {
        const shards = shardOf(`${host}:80`, count)
        expect(shards).toHaveLength(1)
        for (const port of [1, 443, 65_535]) expect(shardOf(`${host}:${port}`, count)).toEqual(shards)
      }),
    )
  })

  it.each([
    ['db.internal:80', 'DB.Internal.:443'],
    ['[::1]:80', '[0:0:0:0:0:0:0:1]:80'],
    ['[::ffff:1.2.3.4]:80', '1.2.3.4:80'],
    ['tcp://1.2.3.4:80', '1.2.3.4:80'],
    ['[fe80::1%eth0]:80', '[fe80::1]:80'],
  ])('knows %s and %s as one host', (one, other) => {
    expect(hostKey(parseTarget(one))).toBe(hostKey(parseTarget(other)))
  })

  it.each([2, 3, 7, 16])('shares hosts out evenly among %i', (count) => {
    const lists = [
      [...expandTargets('10.0.0.0/20:80')],
      Array.from({ length: 4_096 }, (_, index) => `web-${index}.example.com:80`),
      [...expandTargets('[2001:db8::/116]:80')],
    ]
    for (const list of lists) {
      for (let index = 1; index <= count; index += 1) {
        const share = list.filter((text) => inShard(text, index, count)).length
        expect(Math.abs(share - list.length / count)).toBeLessThan(5 * Math.sqrt(list.length / count))
      }
    }
  })

  it('never changes, for machines of one list may have other versions', () => {
    const hosts = ['127.0.0.1:80', '10.0.0.7:80', '[2001:db8::7]:80', 'db.internal:80', 'unix:/run/app.sock']
    expect(hosts.map((text) => shardOf(text, 1_000)[0])).toMatchInlineSnapshot(`
      [
        408,
        281,
        272,
        888,
        580,
      ]
    `)
  })
})

describe('networkOf', () => {
  it.each([
    ['10.1.2.3:80', '10.1.2'],
    ['[::ffff:10.1.2.3]:80', '10.1.2'],
    ['DB.:80', 'db'],
    ['unix:@a', 'unix:\0a'],
  ])('%s is in %j', (text, network) => {
    expect(networkOf(parseTarget(text))).toBe(network)
  })

  it('is the /64 of an IPv6 address', () => {
    const of = (text: string) => networkOf(parseTarget(text))
    expect(of('[2001:db8::1]:80')).toBe(of('[2001:db8::ffff:2]:80'))
    expect(of('[2001:db8::1]:80')).not.toBe(of('[2001:db8:0:1::1]:80'))
  })
})
