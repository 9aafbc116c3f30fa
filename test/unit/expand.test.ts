import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expandTargets, targetsPerRange, wordsOfLine } from '../../src/core/expand.js'
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
    ['255.255.255.254/31:65535', ['255.255.255.254:65535', '255.255.255.255:65535']],
  ])('reads %s', (text, expected) => {
    expect([...expandTargets(text)]).toEqual(expected)
  })

  it.each<[string, RegExp]>([
    ['10.0.0.0/28', /add the port/],
    ['10.0.0.0/28:', /a port from/],
    ['10.0.0.0/33:80', /a range like/],
    ['10.0.0/24:80', /a range like/],
    ['10.0.0.1-9:80', /both addresses in full/],
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
    ['-host:80-90', /a host in letters/],
    ['0.0.0.0/7:80', /at most 16,777,216/],
    ['0.0.0.0/16:1-65535', /at most 16,777,216/],
    ['[::/0]:80', /at most 16,777,216/],
    ['unix:', /add the path/],
  ])('refuses %s at the first target', (text, message) => {
    const targets = expandTargets(text)
    expect(() => targets.next()).toThrow(InvalidTargetError)
    expect(() => expandTargets(text).next()).toThrow(message)
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
