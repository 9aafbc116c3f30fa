import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Destination, sortByPreference } from '#internal/core/preference'

/** `2001:db8::1 from 2001:db8::2`; `from nowhere` where there is no way to it. */
function read(text: string): Destination {
  const [address, source] = text.split(' from ')
  return { address: address!, source: source === 'nowhere' ? undefined : source }
}
const write = ({ address, source = 'nowhere' }: Destination) => `${address} from ${source}`
const sorted = (...texts: readonly string[]) => sortByPreference(texts.map(read)).map(write)

/** Whatever order they come in, they are put in this one. */
type Row = [what: string, ...inOrder: string[]]

const tables: Record<string, Row[]> = {
  'section 2.1, Policy Table': [
    [
      'precedence',
      '::1 from ::1',
      '2001:db8::1 from 2001:db8::1',
      '198.51.100.1 from 198.51.100.1',
      '2002::1 from 2002::1',
      '2001::1 from 2001::1',
      'fd00::1 from fd00::1',
      'fec0::1 from fec0::1',
    ],
    ['a compatible address is below a unique local one', 'fd00::1 from fd00::1', '::2 from ::2'],
    ['and so is one of 6bone', 'fd00::1 from fd00::1', '3ffe::1 from 3ffe::1'],
    ['a mapped address is the IPv4 address', '2001:db8::1 from 2001:db8::1', '::ffff:10.0.0.1 from ::ffff:10.0.0.2'],
  ],
  'section 3.1, Scope Comparisons': [
    ['loopback is link-local', '::1 from fe80::1%2', '::1 from 2001:db8::1'],
    ['fec0::/10 is a site', 'fec0::1 from fec0::2', 'fec0::1 from fd00::1'],
    ['unique local addresses are global', 'fd00::1 from 2001:db8::1', 'fd00::1 from fe80::1'],
    ['multicast says its own: a link', 'ff02::1 from fe80::1', 'ff02::1 from 2001:db8::1'],
    ['multicast says its own: the world', 'ff0e::1 from 2001:db8::1', 'ff0e::1 from fe80::1'],
  ],
  'section 3.2, IPv4 Addresses and Scopes': [
    ['127/8 is link-local', '127.0.0.1 from 169.254.0.1', '127.0.0.1 from 10.0.0.1'],
    ['169.254/16 is link-local', '169.254.1.1 from 127.0.0.1', '169.254.1.1 from 10.0.0.1'],
    ['169.253 is not', '169.253.1.1 from 10.0.0.1', '169.253.1.1 from 127.0.0.1'],
    ['private addresses are global', '198.51.100.1 from 192.168.0.1', '198.51.100.1 from 169.254.0.1'],
  ],
  'section 6, the rules': [
    ['1: avoid unusable destinations', '203.0.113.1 from 10.0.0.1', '2001:db8::1 from nowhere'],
    ['1, before 2', '203.0.113.1 from 127.0.0.1', '::1 from nowhere'],
    ['2: prefer matching scope', '203.0.113.1 from 10.0.0.1', '2001:db8::1 from fe80::1%2'],
    ['2, before 5', '2002::1 from 2001:db8::1', '2001:db8::1 from fe80::1'],
    ['5: prefer matching label', '203.0.113.1 from 10.0.0.1', '2001:db8::1 from fd00::1'],
    ['6: prefer higher precedence', '2001:db8::1 from 2001:db8::2', '203.0.113.1 from 10.0.0.1'],
    ['6, before 8', '2001:db8::1 from 2001:db8::2', '127.0.0.1 from 127.0.0.1'],
    ['8: prefer smaller scope', '169.254.1.1 from 169.254.1.2', '203.0.113.1 from 10.0.0.1'],
    ['8, before 9', 'fe80::1 from fe80:0:0:1::', '2001:db8::1 from 2001:db8::2'],
    ['9: use longest matching prefix', '2001:db8::1 from 2001:db8:1::', '2001:db9::1 from 2001:db8::1'],
    ['no source at all: by precedence', '::1 from nowhere', '2001:db8::1 from nowhere', '10.0.0.1 from nowhere'],
  ],
  // Examples 5 and 6 are those of rules 4 and 3.
  'section 10.2, Default Destination Address Selection': [
    ['example 1', '2001:db8:1::1 from 2001:db8:1::2', '198.51.100.121 from 169.254.13.78'],
    ['example 2', '198.51.100.121 from 198.51.100.117', '2001:db8:1::1 from fe80::1'],
    ['example 3', '2001:db8:1::1 from 2001:db8:1::2', '10.1.2.3 from 10.1.2.4'],
    ['example 4', 'fe80::1 from fe80::2', '2001:db8:1::1 from 2001:db8:1::2'],
    ['example 7', '2001:db8:1::1 from 2001:db8:1::2', '2001:db8:3ffe::1 from 2001:db8:3f44::2'],
    ['example 8', '2002:c633:6401::1 from 2002:c633:6401::2', '2001:db8:1::1 from 2002:c633:6401::2'],
    ['example 9', '2001:db8:1::1 from 2001:db8:1::2', '2002:c633:6401::1 from 2002:c633:6401::2'],
  ],
}

describe.each(Object.entries(tables))('RFC 6724, %s', (_, rows) => {
  it.each(rows)('%s', (_what, ...inOrder) => {
    expect(sorted(...inOrder)).toEqual(inOrder)
    expect(sorted(...inOrder.toReversed())).toEqual(inOrder)
  })
})

describe('RFC 6724, section 6, rule 10: otherwise, leave the order unchanged', () => {
  it.each<Row>([
    ['loopback', '127.0.9.1 from 127.0.0.1', '127.0.0.1 from 127.0.0.1', '127.255.0.1 from 127.0.0.1'],
    ['IPv4, however near (rule 9)', '203.0.113.1 from 10.0.0.1', '10.0.0.2 from 10.0.0.1'],
    ['IPv6 within one network (rule 9)', '2001:db8::1 from 2001:db8::2', '2001:db8::3 from 2001:db8::2'],
    ['the same without any source', '2001:db8::1 from nowhere', '2001:db9::1 from nowhere'],
  ])('%s', (_what, ...equals) => {
    expect(sorted(...equals)).toEqual(equals)
    expect(sorted(...equals.toReversed())).toEqual(equals.toReversed())
  })
})

/** Of every kind that the rules tell apart, and near to one another. */
const addresses =
  '::1 ::2 ::ffff:10.0.0.1 127.0.0.1 127.0.0.2 169.254.0.1 10.0.0.1 203.0.113.1 2001:db8::1 2001:db8::2 2001:db8:1::1 ' +
  '2001::1 2002::1 3ffe::1 fc00::1 fd00::1 fe80::1 fe80::2%1 fec0::1 ff02::1 ff0e::1'
const someAddress = fc.constantFrom(...addresses.split(' '))
const someDestination: fc.Arbitrary<Destination> = fc.record({
  address: someAddress,
  source: fc.option(someAddress, { nil: undefined }),
})
/** What the order of two says: neither way round is it changed, or both ways it comes out the same. */
function comparison(a: Destination, b: Destination): number {
  const [first, second] = [sortByPreference([a, b])[0], sortByPreference([b, a])[0]]
  return first !== second ? 0 : first === a ? -1 : 1
}

it('is a total order, and stable', () => {
  fc.assert(
    fc.property(fc.array(someDestination, { maxLength: 8 }), (given) => {
      const result = sortByPreference(given)
      expect(new Set(result)).toEqual(new Set(given))
      expect(result).toHaveLength(given.length)
      for (const [i, a] of result.entries()) {
        for (const b of result.slice(i + 1)) {
          expect(comparison(a, b)).toBeLessThanOrEqual(0)
          if (comparison(a, b) === 0) expect(given.indexOf(a)).toBeLessThan(given.indexOf(b))
        }
      }
    }),
  )
})
