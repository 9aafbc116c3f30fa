import { isIPv4, isIPv6, SocketAddress as NodeSocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Endpoint, endpointOf } from '../../src/core/endpoint.js'
import { InvalidTargetError } from '../../src/core/invalid-target.js'
import { formatIpv6, parseIpv4, parseIpv6 } from '../../src/core/ip.js'
import { formatTarget, parseTarget } from '../../src/core/target.js'
import type { Target } from '../../src/types.js'

const inet = (address: string, port: number) => ({ kind: 'endpoint', endpoint: { family: 'inet', address, port } })
const inet6 = (address: string, port: number, scope = {}, zone = {}) => ({
  kind: 'endpoint',
  endpoint: { family: 'inet6', address, port, ...scope },
  ...zone,
})
const unix = (path: string) => ({ kind: 'endpoint', endpoint: { family: 'unix', path } })
const name = (hostname: string, port: number) => ({ kind: 'name', hostname, port })
const label63 = 'a'.repeat(63)
const host253 = `${label63}.${label63}.${label63}.${'a'.repeat(61)}`

describe('parseTarget', () => {
  it.each<[Target, object]>([
    ['1.2.3.4:80', inet('1.2.3.4', 80)],
    ['tcp://255.255.255.255:65535', inet('255.255.255.255', 65535)],
    [{ host: '127.0.0.1', port: 1 }, inet('127.0.0.1', 1)],
    ['[::1]:80', inet6('::1', 80)],
    ['tcp://[2001:DB8:0::0:1]:443', inet6('2001:db8::1', 443)],
    ['[::ffff:1.2.3.4]:80', inet6('::ffff:1.2.3.4', 80)],
    ['[fe80::1%2]:80', inet6('fe80::1', 80, { scopeId: 2 })],
    ['[fe80::1%0]:80', inet6('fe80::1', 80)],
    ['[fe80::1%br-0]:80', inet6('fe80::1', 80, {}, { zone: 'br-0' })],
    [{ host: 'fe80::1%eth0', port: 80 }, inet6('fe80::1', 80, {}, { zone: 'eth0' })],
    [{ host: '[::1]', port: 80 }, inet6('::1', 80)],
    ['unix:/run/app.sock', unix('/run/app.sock')],
    ['unix:app.sock', unix('app.sock')],
    ['unix:@abstract', unix('\0abstract')],
    [{ path: '/run/a:80' }, unix('/run/a:80')],
    [{ path: '@abstract' }, unix('\0abstract')],
    [{ path: '\0abstract' }, unix('\0abstract')],
    [`unix:/${'é'.repeat(53)}`, unix(`/${'é'.repeat(53)}`)],
    [`unix:@${'x'.repeat(107)}`, unix(`\0${'x'.repeat(107)}`)],
    ['db.internal:5432', name('db.internal', 5432)],
    ['tcp://unix:80', name('unix', 80)],
    ['localhost.:80', name('localhost.', 80)],
    ['_sip._tcp.Example:80', name('_sip._tcp.Example', 80)],
    ['1and1.example:80', name('1and1.example', 80)],
    ['bücher.example:80', name('xn--bcher-kva.example', 80)],
    ['日本。example:80', name('xn--wgv71a.example', 80)],
    [{ host: `${host253}.`, port: 80 }, name(`${host253}.`, 80)],
  ])('reads %j', (target, expected) => {
    expect(parseTarget(target)).toEqual(expected)
    expect(parseTarget(formatTarget(target))).toEqual(expected)
  })

  it.each<[unknown, RegExp]>([
    ['', /add the port: localhost:80/],
    ['localhost', /add the port: localhost:80/],
    ['localhost:', /a port from 1 to 65535/],
    ['localhost:0', /a port from 1 to 65535/],
    ['localhost:65536', /a port from 1 to 65535/],
    ['localhost:080', /a port from 1 to 65535/],
    ['localhost:8e1', /a port from 1 to 65535/],
    ['localhost: 80', /a port from 1 to 65535/],
    [{ host: 'localhost', port: 0 }, /a port from 1 to 65535/],
    [{ host: 'localhost', port: 80.5 }, /a port from 1 to 65535/],
    [{ host: 'localhost', port: '80' }, /a port from 1 to 65535/],
    ['::1', /brackets.*\[::1\]:80/],
    ['::1:80', /brackets/],
    ['a:b:80', /brackets/],
    ['[::1]', /like \[::1\]:80/],
    ['[::1]80', /like \[::1\]:80/],
    ['[1.2.3.4]:80', /between the brackets/],
    ['[fe80::1%]:80', /interface's name/],
    ['[fe80::1%sixteen-or-longer]:80', /interface's name/],
    ['1.2.3:80', /four numbers/],
    ['1.2.3.256:80', /four numbers/],
    ['01.2.3.4:80', /four numbers/],
    ['1.2.3.4.:80', /four numbers/],
    ['2130706433:80', /four numbers/],
    ['１２７.０.０.１:80', /a host in letters/],
    ['０x7f.1:80', /a host in letters/],
    [':80', /a host in letters/],
    ['-a.example:80', /a host in letters/],
    ['a-.example:80', /a host in letters/],
    ['a..example:80', /a host in letters/],
    ['.:80', /four numbers/],
    ['a b:80', /a host in letters/],
    ['user@host:80', /a host in letters/],
    ['é/path:80', /a host in letters/],
    ['é@evil:80', /a host in letters/],
    ['℀.example:80', /a host in letters/],
    [`a${label63}:80`, /a host in letters/],
    [`a${host253}:80`, /a host in letters/],
    ['http://host:80', /leave out what stands before ':\/\/'/],
    ['unix:', /add the path/],
    ['unix:@', /add the path/],
    [{ path: '' }, /add the path/],
    [{ path: '/a\0b' }, /without NUL/],
    [`unix:/${'x'.repeat(107)}`, /at most 107 bytes.*this has 108/],
    [`unix:/${'é'.repeat(54)}`, /at most 107 bytes.*this has 109/],
    [`unix:@${'x'.repeat(108)}`, /at most 107 bytes.*this has 108/],
    [{}, /give one of these/],
    [{ host: 1, port: 80 }, /give one of these/],
    [null, /give one of these/],
    [80, /give one of these/],
    [undefined, /give one of these/],
  ])('refuses %j, and says what to write', (target, message) => {
    const error = errorOf(() => parseTarget(target as Target))
    expect(error).toBeInstanceOf(InvalidTargetError)
    expect(error).toMatchObject({ name: 'InvalidTargetError', code: 'ERR_INVALID_TARGET' })
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/expected .+; .+/)
    expect(typeof formatTarget(target as Target)).toBe('string')
  })

  it('has words for what has none of its own', () => {
    const without = Object.create(null) as Target
    expect(formatTarget(without)).toBe('{}')
    expect(formatTarget({ host: 'a', port: Symbol('p') } as unknown as Target)).toBe('{"host":"a"}')
    expect(formatTarget(Object.assign(without, { port: 1n }) as Target)).toBe('{"port":1n}')
  })

  it('shows what was given, shortened and without control characters', () => {
    for (const rest of ['', '://', '://:1', ':1', ':::1']) {
      const { message } = errorOf(() => parseTarget(`\u001b[31m${'x'.repeat(1000)}${rest}`))
      expect(message).toMatch(/^'\\u001b\[31mx+…' is not/)
      expect(message.length).toBeLessThan(400)
      expect(message).not.toContain('\u001b')
    }
    expect(errorOf(() => parseTarget(10n as unknown as Target)).message).toMatch(/^10 is not a target/)
  })

  it('never throws anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.webAuthority({ withPort: true })), (text) => {
        try {
          parseTarget(text)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTargetError)
        }
      }),
    )
  })

  it('takes the hosts that URLs take', () => {
    fc.assert(
      fc.property(fc.domain(), fc.integer({ min: 1, max: 65535 }), (hostname, port) => {
        expect(parseTarget(`${hostname}:${port}`)).toEqual(name(hostname, port))
      }),
    )
  })
})

describe('IP addresses', () => {
  it.each([
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::FFFF:0102:0304', '::ffff:1.2.3.4'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ])('writes %s as %s', (text, expected) => {
    expect(formatIpv6(parseIpv6(text)!)).toBe(expected)
  })

  const scrap = fc.constantFrom(...'0123456789abcdefF:.', '::', '255', '256', '1.2.3.4', 'ffff', '00', 'g')
  const scraps = fc.array(scrap, { maxLength: 18 }).map((parts) => parts.join(''))
  const spoiled = fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(), scrap, fc.boolean())
    .map(([text, at, part, whole]) => {
      const i = at % (text.length + 1)
      return text.slice(0, i) + part + text.slice(whole ? i : i + 1)
    })

  it('reads exactly what Node reads', () => {
    fc.assert(
      fc.property(fc.oneof(scraps, spoiled, fc.ipV4(), fc.ipV6()), (text) => {
        expect(parseIpv4(text) !== undefined).toBe(isIPv4(text))
        expect(parseIpv6(text) !== undefined).toBe(isIPv6(text))
      }),
      { numRuns: 5_000 },
    )
  })

  it('reads the bytes that Node reads, and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.ipV6(), (bytes, written) => {
        const text = formatIpv6(bytes)
        expect(parseIpv6(text)).toEqual(bytes)
        expect(new NodeSocketAddress({ family: 'ipv6', address: text }).address).toBe(text)
        const canonical = new NodeSocketAddress({ family: 'ipv6', address: written }).address
        expect(parseIpv6(written)).toEqual(parseIpv6(canonical))
      }),
    )
  })
})

describe('endpointOf', () => {
  it.each<[[string, number, number?], Endpoint | undefined]>([
    [['127.0.0.1', 0], { family: 'inet', address: '127.0.0.1', port: 0 }],
    [['0:0::1', 80], { family: 'inet6', address: '::1', port: 80 }],
    [['fe80::1%3', 80], { family: 'inet6', address: 'fe80::1', port: 80, scopeId: 3 }],
    [['fe80::1', 80, 4], { family: 'inet6', address: 'fe80::1', port: 80, scopeId: 4 }],
    [['fe80::1%eth0', 80], undefined],
    [['localhost', 80], undefined],
    [['127.0.0.1', 65536], undefined],
    [['127.0.0.1', Number.NaN], undefined],
  ])('of %j', (given, expected) => {
    expect(endpointOf(...given)).toEqual(expected)
  })
})

function errorOf(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
