/** What comes from outside, read: networks, Host headers, queries. */
import { describe, expect, it } from 'vitest'
import { AllowList } from '#internal/core/allow-list'
import { hostNameOf, isKnownHost, isLoopback } from '#internal/core/host-header'
import { probeQueryOf, probeTimeoutMs } from '#internal/core/probe-query'
import { isWanted, type Sought, targetQueryOf } from '#internal/core/target-query'

describe('an allow list', () => {
  const list = new AllowList(['10.0.0.0/8', '192.0.2.128/25', '127.0.0.1', 'fd00::/8', '::1/128', '2001:db8::/33'])
  it.each<[string, boolean]>([
    ['10.255.255.255', true],
    ['11.0.0.0', false],
    ['192.0.2.127', false],
    ['192.0.2.128', true],
    ['127.0.0.1', true],
    ['127.0.0.2', false],
    ['::ffff:10.0.0.1', true],
    ['::ffff:11.0.0.1', false],
    ['::1', true],
    ['::', false],
    ['fdff::1', true],
    ['fe80::1', false],
    ['2001:db8:7fff::', true],
    ['2001:db8:8000::', false],
    ['nonsense', false],
    ['', false],
  ])('%s: %s', (address, isOn) => expect(list.check(address)).toBe(isOn))

  it('may be empty, or of everything', () => {
    expect(new AllowList([]).check('127.0.0.1')).toBe(false)
    const all = new AllowList(['0.0.0.0/0', '::/0'])
    expect(['1.2.3.4', '::1', 'ffff::'].map((address) => all.check(address))).toEqual([true, true, true])
    expect(new AllowList(['0.0.0.0/0']).check('2001:db8::1')).toBe(false)
  })

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    'fd00::/129',
    '10.0.0.0/8/8',
    'localhost',
    '10.0.0.0/8 ',
    '::ffff:10.0.0.0/104',
  ])('%j is refused by name', (text) => expect(() => new AllowList([text])).toThrow(JSON.stringify(text)))
})

describe('a Host header', () => {
  const here = { names: ['127.0.0.1', 'watcher.internal'], anyAddress: false }
  it.each<[string, boolean]>([
    ['localhost', true],
    ['LOCALHOST:9464', true],
    ['localhost.', true],
    ['a.localhost:1', true],
    ['127.0.0.1:9464', true],
    ['127.8.9.1', true],
    ['[::1]:9464', true],
    ['[::ffff:127.0.0.1]', true],
    ['watcher.internal:80', true],
    ['WATCHER.internal', true],
    ['10.0.0.1', false],
    ['[2001:db8::1]', false],
    ['evil.test', false],
    ['localhost.evil.test', false],
    ['127.0.0.1.evil.test', false],
    ['evil.test#localhost', false],
    ['evil.test/@localhost', false],
    ['user@localhost', false],
    ['localhost:80:80', false],
    ['localhost:', false],
    ['0x7f.1', false],
    ['2130706433', false],
    ['', false],
    [' localhost', false],
    ['::1', false],
    ['a'.repeat(1_000), false],
  ])('%s: %s', (header, isKnown) => expect(isKnownHost(header, here)).toBe(isKnown))

  it('may be any address where the server listens on more than loopback', () => {
    const open = { names: ['0.0.0.0'], anyAddress: true }
    expect(['10.0.0.1:80', '[2001:db8::1]', 'evil.test'].map((each) => isKnownHost(each, open))).toEqual([
      true,
      true,
      false,
    ])
  })

  it('is taken apart', () => {
    expect([hostNameOf('[FE80::1]:1'), hostNameOf('A.b:2'), hostNameOf('a b')]).toEqual(['fe80::1', 'a.b', undefined])
    expect(['::1', '127.1.2.3', '::ffff:127.0.0.1', '::', '0.0.0.0', 'x'].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

const queryOf = (text: string) => targetQueryOf(new URLSearchParams(text))

describe('the query of /api/targets', () => {
  it('has defaults', () => {
    expect(queryOf('')).toEqual({ offset: 0, limit: 100, states: [], text: '', labels: [] })
    expect(queryOf('offset=5&limit=1000&state=down,unknown&state=up&text=ABC&label=env=a=b&label=job')).toEqual({
      offset: 5,
      limit: 1_000,
      states: ['down', 'unknown', 'up'],
      text: 'abc',
      labels: [
        ['env', 'a=b'],
        ['job', undefined],
      ],
    })
  })

  it.each([
    ['offset=-1', 'offset is no whole number'],
    ['offset=1e3', 'offset is no whole number'],
    ['limit=0', 'limit is no whole number from 1 to 1000'],
    ['limit=1001', 'limit is no whole number'],
    ['state=gone', "state is 'gone'"],
    ['ofset=1', 'did you mean offset?'],
    ['x=1', 'there are offset, limit'],
    [`x${'y'.repeat(5_000)}=1`, 'there is no parameter'],
    ['label=a&'.repeat(17), 'label is given more than 16 times'],
  ])('%s is refused', (text, words) => expect(queryOf(text)).toContain(words))

  it.each<[string, boolean]>([
    ['', true],
    ['state=up', false],
    ['state=up,down', true],
    ['text=INTERNAL', true],
    ['text=prod', true],
    ['text=econnref', true],
    ['text=env', false],
    ['label=env', true],
    ['label=env=prod', true],
    ['label=env=prod&label=job', false],
    ['label=env=', false],
    ['label=__proto__', false],
    ['label=toString', false],
  ])('%s finds it: %s', (text, isFound) => {
    const target: Sought = {
      target: 'db.internal:1',
      labels: { env: 'Prod' },
      state: 'down',
      last: { code: 'ECONNREFUSED' },
    }
    const query = queryOf(text.replace('=prod', '=Prod'))
    if (typeof query === 'string') throw new Error(query)
    expect(isWanted(target, query)).toBe(isFound)
  })
})

describe('the query of /probe', () => {
  const probes = ['http', 'tls']
  const read = (text: string) => probeQueryOf(new URLSearchParams(text), probes)

  it('has a target, and what is asked of it', () => {
    expect(read('target=a:1&probe=http')).toMatchObject({ probe: 'http', target: { text: 'a:1' } })
    expect(read('target=[::1]:1')).toMatchObject({ probe: undefined, target: { parsed: { kind: 'endpoint' } } })
  })

  it.each([
    ['', 'target is missing'],
    ['target=', 'target is missing'],
    ['target=a', 'a'],
    ['target=a:0', 'a:0'],
    ['target=a:1&target=b:1', 'target is given more than once'],
    ['target=a:1&probe=x', "there is no probe 'x': there are http, tls"],
    ['target=a:1&probes=http', 'did you mean probe?'],
    ['target=a:1&module=http_2xx', "there is no parameter 'module'"],
    [`target=${'a'.repeat(2_000)}:1`, 'characters'],
  ])('%s is refused', (text, words) => expect(read(text)).toEqual(expect.stringContaining(words)))

  it.each<[string | string[] | undefined, number | undefined]>([
    [undefined, 9_500],
    ['10', 9_500],
    ['0.6', 300],
    ['5.5', 5_000],
    ['1000000', 60_000],
    ['Infinity', 60_000],
    ['0', undefined],
    ['-1', undefined],
    ['x', undefined],
    ['', undefined],
    [['1', '2'], undefined],
  ])('a scraper that waits for %s s', (header, expected) => expect(probeTimeoutMs(header)).toBe(expected))
})
