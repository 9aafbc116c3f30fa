import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expandTargets, readTargets, targetsPerRange, wordsOfLine } from '../../src/core/expand.js'
import { InvalidTargetError } from '../../src/core/invalid-target.js'
import { parseTarget } from '../../src/core/target.js'

describe('expandTargets', () => {
  it.each<[string, string[]]>([
    ['127.0.0.1:80', ['127.0.0.1:80']],
    ['tcp://my-host:80', ['tcp://my-host:80']],
    ['[fe80::1%br-0]:80', ['[fe80::1%br-0]:80']],
    ['unix:/run/a-b/c:80-81', ['unix:/run/a-b/c:80-81']],
    ['host:80,443', ['host:80', 'host:443']],
    ['my-host-1:8000-8002,80', ['my-host-1:8000', 'my-host-1:8001', 'my-host-1:8002', 'my-host-1:80']],
    ['tcp://unix:80-81', ['tcp://unix:80', 'tcp://unix:81']],
    ['[::1]:80-81', ['[::1]:80', '[::1]:81']],
    ['[fe80::1%br-0]:80-81', ['[fe80::1%br-0]:80', '[fe80::1%br-0]:81']],
    ['10.0.0.0/31:80,443', ['10.0.0.0:80', '10.0.0.0:443', '10.0.0.1:80', '10.0.0.1:443']],
    ['tcp://10.0.0.7/31:80', ['tcp://10.0.0.6:80', 'tcp://10.0.0.7:80']],
    ['10.0.0.7/32:80', ['10.0.0.7:80']],
    ['127.0.0.254-127.0.1.1:80', ['127.0.0.254:80', '127.0.0.255:80', '127.0.1.0:80', '127.0.1.1:80']],
    ['127.0.0.1-127.0.0.1:80', ['127.0.0.1:80']],
    ['[2001:db8::/127]:80', ['[2001:db8::]:80', '[2001:db8::1]:80']],
    ['[::fffe-::1:0]:80', ['[::fffe]:80', '[::ffff]:80', '[::1:0]:80']],
    ['127.0.0-1.1-2:80', ['127.0.0.1:80', '127.0.0.2:80', '127.0.1.1:80', '127.0.1.2:80']],
    ['127-128.0.0.1:80', ['127.0.0.1:80', '128.0.0.1:80']],
    ['tcp://10.0.0.1-2:80,443', ['tcp://10.0.0.1:80', 'tcp://10.0.0.1:443', 'tcp://10.0.0.2:80', 'tcp://10.0.0.2:443']],
    ['10.0.0.9,1-2,2:80', ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.9:80']],
    ['10.0.0.-1:80', ['10.0.0.0:80', '10.0.0.1:80']],
    ['10.0.0.254-:80', ['10.0.0.254:80', '10.0.0.255:80']],
    ['10.0.0.1-1:80', ['10.0.0.1:80']],
    ['a-.test:80-81', ['a-.test:80', 'a-.test:81']],
    ['-host:80-81', ['-host:80', '-host:81']],
    ['10-20-a:80,81', ['10-20-a:80', '10-20-a:81']],
    ['255.255.255.254/31:65535', ['255.255.255.254:65535', '255.255.255.255:65535']],
  ])('reads %s', (text, expected) => {
    expect([...expandTargets(text)]).toEqual(expected)
  })

  it.each<[string, RegExp]>([
    ['10.0.0.0/28', /add the port/],
    ['10.0.0.0/28:', /a port from/],
    ['10.0.0.0/33:80', /a range like/],
    ['10.0.0/24:80', /a range like/],
    ['10.0.0.9-1:80', /the lower first/],
    ['10.0.0.1-256:80', /from 0 to 255/],
    ['10.0.0.01-3:80', /leading zeros/],
    ['10.0.0.1--3:80', /a range like/],
    ['10.0.0.1-2-3:80', /a range like/],
    ['10.0.0.1,,3:80', /a range like/],
    ['10.0.0.,:80', /a range like/],
    ['10.0.0.**:80', /its host has|a range like/],
    ['10.0.0-1:80', /a range like/],
    ['10.0.0.0.1-2:80', /a range like/],
    ['10.0.0-1.0/24:80', /a range like/],
    ['0x7f.0.0.1-2:80', /a range like/],
    ['10-20:80', /a range like/],
    ['*:80', /a range like/],
    ['*.*.*.*:80', /at most 16,777,216/],
    ['0x7f.1:80-81', /four numbers/],
    ['10.0.0.1,10.0.0.2:80', /by itself: 10.0.0.1:80 10.0.0.2:80$/],
    ['a:80,b:81', /by itself: a:80 b:81$/],
    ['a:80,b', /by itself: a:80 b:80$/],
    ['host:-1024', /is open.*write both ends: host:1-1024$/],
    ['host:8000-', /is open.*write both ends: host:8000-65535$/],
    ['host:80,-90', /is open.*write both ends: host:1-90$/],
    ['host:-', /a port is missing/],
    ['host:80,,81', /a port is missing/],
    ['host:080-90', /leading zeros/],
    ['host:http-https', /'http-https'/],
    [`${'é'.repeat(60_000)}:80-81`, /it has 60000 characters/],
    [`host:${'80,'.repeat(100_000)}80`, /it has 300007 characters/],
    ['10.0.0.9-10.0.0.1:80', /the lower first/],
    ['10.0.0.1-10.0.0.999:80', /a range like/],
    ['10.0.0.0/28/28:80', /a range like/],
    ['host/28:80', /a range like/],
    ['[::1-127.0.0.1]:80', /a range like/],
    ['[fe80::1-fe80::2%eth0]:80', /a range like/],
    ['[::1/129]:80', /a range like/],
    ['2001:db8::/126:80', /brackets/],
    ['2001:db8::/126:80-90', /brackets/],
    ['http://10.0.0.0/24:80', /leave out/],
    ['http://host:80-90', /leave out/],
    ['host:90-80', /the lower port first/],
    ['host:80-85-90', /the lower port first/],
    ['host:80,', /a port from/],
    ['host:0-80', /a port from/],
    ['host:80-65536', /a port from/],
    ['0.0.0.0/7:80', /at most 16,777,216/],
    ['0.0.0.0/16:1-65535', /at most 16,777,216/],
    ['[::/0]:80', /at most 16,777,216/],
    ['unix:', /add the path/],
  ])('refuses %s at the first target', (text, message) => {
    const targets = expandTargets(text)
    expect(() => targets.next()).toThrow(InvalidTargetError)
    expect(() => expandTargets(text).next()).toThrow(message)
  })

  it('takes text alone', () => {
    expect(() => expandTargets(80 as never).next()).toThrow(/^text is 80: expected a string/)
  })

  it('says of each target what reading it says', () => {
    const words = ['10.0.0-1.*:80', '[::fffe-::1:0]:80-81', 'tcp://host:80,81', '[fe80::1%25eth0]:80-81', 'unix:@a']
    for (const word of words) {
      for (const { text, parsed } of readTargets(word)) expect(parsed).toEqual(parseTarget(text))
    }
    expect([...expandTargets('10.0.0.*:80')]).toHaveLength(256)
    expect([...expandTargets('10.0.0.-:80')]).toHaveLength(256)
  })

  it('gives the addresses that octets allow, each once and going up', () => {
    const octet = fc.oneof(
      fc.nat(255).map((n) => [String(n), (value: number) => value === n] as const),
      fc
        .tuple(fc.nat(255), fc.nat(3))
        .filter(([first, more]) => first + more < 256)
        .map(([a, more]) => [`${a}-${a + more}`, (value: number) => value >= a && value <= a + more] as const),
      fc
        .tuple(fc.nat(255), fc.nat(255))
        .map(([a, b]) => [`${a},${b}`, (value: number) => value === a || value === b] as const),
    )
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
        const word = `${octets.map(([text]) => text).join('.')}:80`
        const numbers = [...expandTargets(word)].map((target) => {
          const values = target.slice(0, -3).split('.').map(Number)
          expect(values.every((value, i) => octets[i]![1](value))).toBe(true)
          return values.reduce((sum, value) => sum * 256 + value, 0)
        })
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
        const each = octets.map(([, allows]) => Array.from({ length: 256 }, (_, i) => i).filter(allows).length)
        expect(numbers).toHaveLength(each.reduce((product, count) => product * count, 1))
      }),
    )
  })

  it('holds no more than one target at a time', () => {
    const before = process.memoryUsage().heapUsed
    const targets = expandTargets('10.0.0.0/8:80')
    for (const expected of ['10.0.0.0:80', '10.0.0.1:80']) expect(targets.next().value).toBe(expected)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000)
    expect(targetsPerRange).toBe(2 ** 24)
  })

  it('gives as many readable targets as the network and the ports have, each once', () => {
    const network = fc.oneof(
      fc
        .tuple(fc.ipV4(), fc.integer({ min: 26, max: 32 }))
        .map(([text, bits]) => [`${text}/${bits}`, 32 - bits] as const),
      fc
        .tuple(fc.ipV6(), fc.integer({ min: 122, max: 128 }))
        .map(([text, bits]) => [`[${text}/${bits}]`, 128 - bits] as const),
    )
    const ports = fc
      .tuple(fc.integer({ min: 1, max: 65535 }), fc.nat(3))
      .filter(([first, more]) => first + more <= 65535)
    fc.assert(
      fc.property(network, ports, ([hosts, bits], [first, more]) => {
        const targets = [...expandTargets(`${hosts}:${first}-${first + more}`)]
        expect(new Set(targets).size).toBe(2 ** bits * (more + 1))
        for (const target of targets) expect(parseTarget(target).kind).toBe('endpoint')
      }),
    )
  })
})

describe('wordsOfLine', () => {
  it.each<[string, string[]]>([
    ['', []],
    ['  \t', []],
    ['# all', []],
    ['  #all', []],
    ['a:80 b:81\tc:82 ', ['a:80', 'b:81', 'c:82']],
    ['a:80-81 # why', ['a:80-81']],
    ['unix:@a#b #c d:80', ['unix:@a#b']],
  ])('reads %j', (line, expected) => {
    expect(wordsOfLine(line)).toEqual(expected)
  })
})
