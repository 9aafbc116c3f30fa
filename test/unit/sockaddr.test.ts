import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Endpoint, endpointOf, formatEndpoint } from '../../src/core/endpoint.js'
import { InvalidTargetError } from '../../src/core/invalid-target.js'
import { formatIpv6, parseIpv6 } from '../../src/core/ip.js'
import {
  decodeSocketAddress,
  encodeEndpoint,
  encodeSocketAddress,
  type SocketAddress,
} from '../../src/core/sockaddr.js'
import { parseTarget } from '../../src/core/target.js'

describe('socket addresses', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

  it.each<[Endpoint, string, string]>([
    [{ family: 'inet', address: '127.0.0.1', port: 80 }, '127.0.0.1:80', '020000507f0000010000000000000000'],
    [
      { family: 'inet6', address: 'fe80::1', port: 443, scopeId: 2 },
      '[fe80::1%2]:443',
      `0a0001bb00000000fe80${'00'.repeat(13)}0102000000`,
    ],
    [{ family: 'inet6', address: '::1', port: 80 }, '[::1]:80', `0a00005000000000${'00'.repeat(15)}0100000000`],
    [{ family: 'unix', path: '/a' }, 'unix:/a', '01002f6100'],
    [{ family: 'unix', path: '\0a' }, 'unix:@a', '01000061'],
  ])('writes %j', (endpoint, text, bytes) => {
    expect(formatEndpoint(endpoint)).toBe(text)
    expect(hex(encodeEndpoint(endpoint))).toBe(bytes)
    const { scopeId, ...rest } = endpoint as { scopeId?: number }
    const zone = scopeId === undefined ? {} : { zone: String(scopeId) }
    expect(parseTarget(text)).toEqual({ kind: 'endpoint', endpoint: rest, ...zone })
  })

  it.each<[SocketAddress, string]>([
    [{ family: 'unspec' }, '00'.repeat(16)],
    [{ family: 'unix', path: '' }, '0100'],
    [{ family: 'unix', path: '@a' }, '0100406100'],
    [{ family: 99, bytes: Uint8Array.of(99, 0, 7) }, '630007'],
    [{ family: 2, bytes: Uint8Array.of(2, 0, 0, 80) }, '02000050'],
    [{ family: 10, bytes: Uint8Array.of(10, 0, 0, 80) }, '0a000050'],
  ])('writes %j as %s, and back', (address, bytes) => {
    expect(hex(encodeSocketAddress(address))).toBe(bytes)
    expect(decodeSocketAddress(encodeSocketAddress(address))).toEqual(address)
  })

  it.each<[string, SocketAddress]>([
    ['', { family: 'unspec' }],
    ['02', { family: 'unspec' }],
    ['01002f610000', { family: 'unix', path: '/a' }],
    ['01002f61', { family: 'unix', path: '/a' }],
    ['0100efbbbf2f61', { family: 'unix', path: '\ufeff/a' }],
    ['01002fff00', { family: 1, bytes: Uint8Array.of(1, 0, 0x2f, 0xff, 0) }],
    ['010000ff', { family: 1, bytes: Uint8Array.of(1, 0, 0, 0xff) }],
    ['0100006100', { family: 'unix', path: '\0a\0' }],
  ])('reads %s as %j', (bytes, address) => {
    expect(decodeSocketAddress(Uint8Array.from(Buffer.from(bytes, 'hex')))).toEqual(address)
  })

  it.each([null, undefined, 80, {}, { family: 'ipv4', address: '127.0.0.1', port: 80 }])(
    'refuses %j by name',
    (given) => {
      expect(() => encodeSocketAddress(given as SocketAddress)).toThrow(InvalidTargetError)
      expect(() => encodeSocketAddress(given as SocketAddress)).toThrow(/expected an address whose family is/)
    },
  )

  it('reads a part of a larger buffer, and keeps nothing of it', () => {
    const buffer = new Uint8Array(64).fill(255)
    buffer.set(encodeSocketAddress({ family: 'inet6', address: 'fe80::1%2', port: 80 }), 8)
    expect(decodeSocketAddress(buffer.subarray(8, 36))).toEqual({ family: 'inet6', address: 'fe80::1%2', port: 80 })
    const given = { family: 99, bytes: Uint8Array.of(99, 0) }
    encodeSocketAddress(given)[0] = 1
    const decoded = decodeSocketAddress(given.bytes) as typeof given
    decoded.bytes[0] = 1
    expect(given.bytes[0]).toBe(99)
  })

  it('shares no memory with a Buffer either', () => {
    const bytes = Buffer.from([99, 0])
    encodeSocketAddress({ family: 99, bytes })[0] = 1
    const decoded = decodeSocketAddress(bytes) as { bytes: Uint8Array }
    decoded.bytes[0] = 1
    expect(bytes[0]).toBe(99)
  })

  it.each<[SocketAddress, RegExp]>([
    [{ family: 'inet', address: '127.1', port: 80 }, /four decimals/],
    [{ family: 'inet', address: '127.0.0.1', port: -1 }, /a port from 0/],
    [{ family: 'inet', address: '127.0.0.1', port: Number.NaN }, /a port from 0/],
    [{ family: 'inet6', address: '127.0.0.1', port: 80 }, /an IPv6 address/],
    [{ family: 'inet6', address: 'fe80::1%eth0', port: 80 }, /zone as a number/],
    [{ family: 'unix', path: 'x'.repeat(108) }, /at most 107/],
    [{ family: 'unix', path: `\0${'x'.repeat(108)}` }, /at most 107/],
    [{ family: 'unix', path: '/a\0b' }, /without NUL/],
    [{ family: 'unix', path: '/a\ud800' }, /without half of a surrogate pair/],
    [{ family: 'unix', path: '\0\udc00a' }, /without half of a surrogate pair/],
  ])('refuses %j', (address, message) => {
    expect(() => encodeSocketAddress(address)).toThrow(InvalidTargetError)
    expect(() => encodeSocketAddress(address)).toThrow(message)
  })

  it('come back as they went', () => {
    const port = fc.integer({ min: 0, max: 65535 })
    const path = fc
      .tuple(fc.constantFrom('/', '\0'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
      .map(([start, rest]) => start + rest.replaceAll('\0', '0'))
      .filter((text) => Buffer.byteLength(text) < 108)
    const endpoints = fc.oneof(
      fc.record({ family: fc.constant('inet' as const), address: fc.ipV4(), port }),
      fc.record({
        family: fc.constant('inet6' as const),
        address: fc.ipV6().map((text) => formatIpv6(parseIpv6(text)!)),
        port,
      }),
      fc.record({ family: fc.constant('unix' as const), path }),
    )
    fc.assert(
      fc.property(endpoints, (endpoint) => {
        expect(decodeSocketAddress(encodeEndpoint(endpoint))).toEqual(endpoint)
        expect(encodeSocketAddress(endpoint)).toEqual(encodeEndpoint(endpoint))
        if (endpoint.family !== 'unix') expect(endpointOf(endpoint.address, endpoint.port)).toEqual(endpoint)
      }),
    )
  })
})
