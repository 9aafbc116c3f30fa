import { describe, expect, it } from 'vitest'
import { addressesBehind } from '../../src/core/embedded-ipv4.js'

describe('an address stands for', () => {
  it.each<[string, string, string[]]>([
    ['itself', '192.0.2.1', []],
    ['itself', '2001:db8::1', []],
    ['itself', '::1', []],
    ['itself', '0.0.0.1', []],
    ['this machine', '0.0.0.0', ['127.0.0.1']],
    ['this machine', '::', ['::1', '127.0.0.1']],
    ['this machine, mapped', '::ffff:0.0.0.0', ['0.0.0.0', '127.0.0.1']],
    ['IPv4-mapped', '::ffff:192.0.2.1', ['192.0.2.1']],
    ['IPv4-mapped, in hexadecimal', '::ffff:c000:201', ['192.0.2.1']],
    ['IPv4-mapped, at length', '0:0:0:0:0:FFFF:C000:0201', ['192.0.2.1']],
    ['IPv4-compatible', '::192.0.2.1', ['192.0.2.1']],
    ['IPv4-translated', '::ffff:0:192.0.2.1', ['192.0.2.1']],
    ['NAT64', '64:ff9b::192.0.2.1', ['192.0.2.1']],
    ['NAT64 of local use, /96', '64:ff9b:1::192.0.2.1', ['192.0.2.1']],
    ['NAT64 of local use, /64', '64:ff9b:1:0:c0:2:100::', ['192.0.2.1', '1.0.0.0']],
    ['NAT64 of local use, /56', '64:ff9b:1:00c0:0:201::', ['192.0.2.1']],
    ['NAT64 of local use, /48', '64:ff9b:1:c000:2:100::', ['192.0.2.1', '2.1.0.0']],
    ['6to4', '2002:c000:201::1', ['192.0.2.1']],
    ['Teredo, the server and then the client', '2001::c000:201:0:0:3fff:fdfd', ['192.0.2.1', '192.0.2.2']],
    ['ISATAP', 'fe80::5efe:192.0.2.1', ['192.0.2.1']],
    ['ISATAP, unique', '2001:db8::200:5efe:192.0.2.1', ['192.0.2.1']],
  ])('%s: %s', (_, address, others) => {
    const [itself, ...rest] = addressesBehind(address)
    expect(itself).toBe(address)
    expect(rest).toEqual(others)
  })

  it('the source that it is connected from, where it is the unspecified one', () => {
    expect(addressesBehind('0.0.0.0', '127.0.0.9')).toEqual(['0.0.0.0', '127.0.0.1', '127.0.0.9'])
    expect(addressesBehind('::', '2001:db8::1')).toContain('2001:db8::1')
    expect(addressesBehind('::ffff:0:0', '127.0.0.9')).toContain('127.0.0.9')
    expect(addressesBehind('192.0.2.1', '127.0.0.9')).toEqual(['192.0.2.1'])
  })

  it.each(['64:ff9b:2::127.0.0.1', '2003:7f00:1::', '2001:1::7f00:1', '::1:127.0.0.1', 'fe80::5eff:127.0.0.1'])(
    'no IPv4 address where it only looks like it: %s',
    (address) => {
      expect(addressesBehind(address)).toEqual([address])
    },
  )
})
