import { isIPv4, isIPv6, SocketAddress as NodeSocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Endpoint, endpointOf, formatEndpoint } from '../../src/core/endpoint.js'
import { InvalidTargetError } from '../../src/core/invalid-target.js'
import { formatIpv6, parseIpv4, parseIpv6 } from '../../src/core/ip.js'
import { formatTarget, parseTarget, readTarget } from '../../src/core/target.js'
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
    ['[fe80::1%2]:80', inet6('fe80::1', 80, {}, { zone: '2' })],
    ['[fe80::1%25eth0]:80', inet6('fe80::1', 80, {}, { zone: 'eth0' })],
    ['tcp://[fe80::1%253]:80', inet6('fe80::1', 80, {}, { zone: '3' })],
    ['[fe80::1%25]:80', inet6('fe80::1', 80, {}, { zone: '25' })],
    ['[fe80::1%25253]:80', inet6('fe80::1', 80, {}, { zone: '253' })],
    ['[fe80::1%250]:80', inet6('fe80::1', 80)],
    [{ host: 'fe80::1%253', port: 80 }, inet6('fe80::1', 80, {}, { zone: '253' })],
    [{ host: '[fe80::1%253]', port: 80 }, inet6('fe80::1', 80, {}, { zone: '3' })],
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
    ['a-.example:80', name('a-.example', 80)],
    ['x--.y.test:80', name('x--.y.test', 80)],
    ['-a.-b-.test.:80', name('-a.-b-.test.', 80)],
    ['--a:80', name('--a', 80)],
    ['é-.test:80', name('xn----9fa.test', 80)],
    ['xn--bcher-kva.example:80', name('xn--bcher-kva.example', 80)],
    ['127.0.0.1.nip.test:80', name('127.0.0.1.nip.test', 80)],
    ['0x7f.a:80', name('0x7f.a', 80)],
    ['10-20-a:80', name('10-20-a', 80)],
    ['UNIX:80', name('UNIX', 80)],
    [{ host: 'unix', port: 80 }, name('unix', 80)],
    [Object.create({ host: 'a', port: 80 }), name('a', 80)],
    ['1and1.example:80', name('1and1.example', 80)],
    ['bücher.example:80', name('xn--bcher-kva.example', 80)],
    ['日本。example:80', name('xn--wgv71a.example', 80)],
    [{ host: `${host253}.`, port: 80 }, name(`${host253}.`, 80)],
  ])('reads %j', (target, expected) => {
    expect(parseTarget(target)).toEqual(expected)
    expect(parseTarget(formatTarget(target))).toEqual(expected)
    const { text, parsed } = readTarget(target)
    expect(parsed).toEqual(expected)
    expect(parseTarget(text)).toEqual(expected)
  })

  it.each<[unknown, RegExp]>([
    ['', /it is empty.*localhost:80/],
    ['localhost', /add the port: localhost:80/],
    ['localhost:', /a port from 1 to 65535/],
    ['localhost:0', /a port from 1 to 65535/],
    ['localhost:65536', /a port from 1 to 65535/],
    ['localhost:080', /a port from 1 to 65535/],
    ['localhost:8e1', /a port from 1 to 65535/],
    ['localhost:', /missing.*localhost:80$/],
    ['localhost:0', /no service has port 0/],
    ['localhost:080', /leading zeros.*write localhost:80$/],
    ['localhost:99999999', /above 65535/],
    ['localhost:٨٠', /its port is '٨٠'/],
    ['localhost:ssh', /its port is 'ssh'.*write the number of ssh: localhost:22$/],
    ['localhost:constructor', /its port is 'constructor'.*write it as a number$/],
    ['localhost: 80', /white space/],
    [' localhost:80', /white space.*write localhost:80$/],
    ['localhost:80\n', /white space.*write localhost:80$/],
    ['\u200bunix:80', /it has \\u200b.*can be seen/],
    ['exa\u00admple.test:80', /it has \\u00ad/],
    ['a\u202e.test:80', /it has \\u202e/],
    ['a\ufe0f.test:80', /it has \\ufe0f/],
    [{ host: '\u2060unix', port: 80 }, /it has \\u2060/],
    ['\0unix:/a:80', /it has \\u0000/],
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
    ['0x7f.1:80', /no IPv4 address.*read 0x7f.1 as 127.0.0.1, write 127.0.0.1:80$/],
    ['0177.0.0.1:80', /as 127.0.0.1, write 127.0.0.1:80$/],
    ['0X7F000001:80', /as 127.0.0.1/],
    ['0x:80', /no IPv4 address/],
    ['127.1:80', /as 127.0.0.1/],
    ['1.2.3.4.5:80', /correct the IPv4 address/],
    [{ host: '0x7f.1', port: 80 }, /no IPv4 address/],
    ['127.0.0-1.1-2:80', /it is a range.*expandTargets/],
    ['127-128.0.0.1:80', /it is a range/],
    ['10.0.0.*:80', /it is a range/],
    ['10.0.0.1,2:80', /it is a range/],
    ['10-20:80', /it is a range/],
    ['-:80', /it is a range/],
    ['10.0.0.0/28:80', /it is a range/],
    ['[::1-::9]:80', /it is a range/],
    ['[::/126]:80', /it is a range/],
    ['host:80,443', /it is a range/],
    ['host:80-90', /it is a range/],
    [{ host: '127.0.0-1.1', port: 80 }, /it is a range/],
    [{ host: '10.0.0.0/8', port: 80 }, /it is a range/],
    ['a:80,b:81', /a list with commas.*by itself: a:80 b:81$/],
    ['a,b:80', /by itself: a:80 b:80$/],
    ['10.0.0.1,10.0.0.2:80', /by itself: 10.0.0.1:80 10.0.0.2:80$/],
    ['*.example:80', /its host has '\*'/],
    ['a..example:80', /a host in letters/],
    ['.:80', /a host in letters/],
    ['..:80', /a host in letters/],
    ['a b:80', /white space/],
    ['user@host:80', /a host in letters/],
    ['é/path:80', /a host in letters/],
    ['é@evil:80', /a host in letters/],
    ['℀.example:80', /a host in letters/],
    [`a${label63}:80`, /a host in letters/],
    [`a${host253}:80`, /a host in letters/],
    ['http://host:80', /leave out what stands before ':\/\/'/],
    ['http://h/', /write h:80$/],
    ['HTTPS://h/a?b', /write h:443$/],
    ['postgres://u:p@db/x', /write db:5432$/],
    ['https://[::1]/', /write \[::1\]:443$/],
    ['http://', /write localhost:80$/],
    ['tcp://h:80/', /a slash.*write tcp:\/\/h:80$/],
    ['tcp://h:p/', /a slash.*write tcp:\/\/h:80$/],
    ['tcp://h', /add the port: h:80$/],
    ['h:80/path', /a path follows its port.*write h:80$/],
    ['h/path:80', /a path.*write h:80$/],
    ['//h:80', /a path.*write localhost:80$/],
    ['user:pw@host:80', /a user.*write host:80$/],
    ['[localhost]:80', /brackets are for IPv6 alone: write localhost:80$/],
    ['UNIX:/run/a', /write unix:\/run\/a$/],
    [new URL('https://h/'), /a URL object.*write h:443$/],
    [new URL('data:x'), /a URL object.*write localhost:80$/],
    ['unix:/a\ud800', /half of a surrogate pair/],
    [{ path: '@\udc00' }, /half of a surrogate pair/],
    [{ path: Buffer.from('/a') }, /its path is Buffer of 2 bytes: expected a string/],
    [{ host: 'h' }, /its port is missing/],
    [{ host: 'h', port: '80' }, /write 80 without quotes/],
    [{ host: 'h', port: 'ssh' }, /write 22 without quotes/],
    [{ host: 'h:80', port: 80 }, /its host has a port.*: h$/],
    [{ host: 'tcp://h', port: 80 }, /its host is a URL.*: h$/],
    [{ host: 'h', port: 80, path: '/a' }, /ambiguous/],
    [{ port: 80, path: '/a' }, /ambiguous/],
    [{ hostname: 'h', port: 80 }, /'hostname'.*here it is host$/],
    [{ socketPath: '/a' }, /'socketPath'.*here it is path$/],
    [{ host: 'h', prot: 80 }, /'prot'.*did you mean port\?$/],
    [{ host: 'h', port: 80, timeoutMs: 1 }, /'timeoutMs'.*leave it out$/],
    [JSON.parse('{"__proto__":{"path":"/a"},"host":"h","port":80}'), /'__proto__'.*leave it out$/],
    [['localhost:80'], /'0'.*leave it out$/],
    ['unix:', /add the path/],
    ['unix:@', /add the path/],
    [{ path: '' }, /add the path/],
    [{ path: '/a\0b' }, /without NUL/],
    [`unix:/${'x'.repeat(107)}`, /at most 107 bytes.*this has 108/],
    [`unix:/${'é'.repeat(54)}`, /at most 107 bytes.*this has 109/],
    [`unix:@${'x'.repeat(108)}`, /at most 107 bytes.*this has 108/],
    [{}, /give one of these/],
    [{ host: 1, port: 80 }, /its host is 1: expected a string/],
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

  it.each<[string, () => Target]>([
    ['a name in another script', () => `${'é'.repeat(500_000)}:80`],
    ['one of a member', () => ({ host: 'é'.repeat(500_000), port: 80 })],
    ['a path', () => `unix:/${'é'.repeat(500_000)}`],
    ['one of a member', () => ({ path: 'é'.repeat(500_000) })],
    ['colons', () => ':'.repeat(500_000)],
    ['numbers', () => `${'1-'.repeat(250_000)}:80`],
    ['a scheme', () => `${'a'.repeat(500_000)}://`],
  ])('refuses %s of half a million characters before anything costly', (_, target) => {
    expect(errorOf(() => parseTarget(target())).message).toMatch(/: (it has 500\d+ characters|expected a path)/)
  })

  it('reads each member once, and refuses what throws when it is read', () => {
    let reads = 0
    const counting = {
      get host() {
        reads += 1
        return reads === 1 ? 'first' : 'second'
      },
      port: 80,
    }
    expect(readTarget(counting)).toEqual({ text: 'first:80', parsed: name('first', 80) })
    expect(reads).toBe(1)
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const fail = (): never => {
      throw new Error('no \u009b')
    }
    const throwing = {
      get host(): string {
        return fail()
      },
      port: 80,
    }
    const keys = new Proxy({ host: 'a', port: 80 }, { ownKeys: fail })
    const prototype = new Proxy({ host: 'a', port: 80 }, { getPrototypeOf: fail })
    for (const target of [revoked.proxy, throwing, keys, prototype] as Target[]) {
      const error = errorOf(() => parseTarget(target))
      expect(error).toMatchObject({ code: 'ERR_INVALID_TARGET', cause: expect.any(Error) })
      expect(error.message).toMatch(/ is not a target: reading it threw/)
      expect(error.message).not.toContain('\u009b')
      expect(typeof formatTarget(target)).toBe('string')
    }
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

describe('the text of an endpoint', () => {
  const endpoints = fc.oneof(
    fc.record({ family: fc.constant('inet' as const), address: fc.ipV4(), port: fc.integer({ min: 1, max: 65_535 }) }),
    fc.record({
      family: fc.constant('inet6' as const),
      address: fc.ipV6().map((text) => formatIpv6(parseIpv6(text)!)),
      port: fc.integer({ min: 1, max: 65_535 }),
      scopeId: fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }), fc.constantFrom(25, 250, 253, 2525, 25_253)),
    }),
  )

  it('reads back as the same endpoint', () => {
    fc.assert(
      fc.property(endpoints, (endpoint) => {
        const { scopeId, ...rest } = endpoint as { scopeId?: number }
        const zone = scopeId === undefined ? {} : { zone: String(scopeId) }
        expect(parseTarget(formatEndpoint(endpoint))).toEqual({ kind: 'endpoint', endpoint: rest, ...zone })
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
