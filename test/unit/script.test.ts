import type { ProbeStep } from 'cancelpoint'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { patternOf } from '#internal/check/pattern'
import { statusRanges } from '#internal/check/presets/statuses'
import { type ExpectStep, scriptOf } from '#internal/check/script'

const judge = (step: ProbeStep) => (scriptOf([step])[0] as ExpectStep).judge

/** As no literal: a formatter would take its backslashes away. */
const anchored = new RegExp(['\\A', '\\z'].join('a'))

describe('steps', () => {
  it.each<[unknown, string]>([
    ['PING', "steps is 'PING': expected an array of at most 100 steps"],
    [
      ['PING'],
      "steps[0] is 'PING': expected a step: { send }, { expect } or { starttls }, such as { send: 'PING\\r\\n' }",
    ],
    [[{}], "steps[0] is {}: expected a step: { send }, { expect } or { starttls }, such as { send: 'PING\\r\\n' }"],
    [[{ sned: 'x' }], "steps[0] has 'sned': did you mean send?"],
    [[{ send: 'x', expect: 'y' }], "steps[0] has 'expect': expected one of send"],
    [[{ send: 'x', maxBytes: 1 }], "steps[0] has 'maxBytes': expected one of send"],
    [[{ send: 1 }], 'steps[0].send is 1: expected a string or a Uint8Array'],
    [
      [{ send: 'x' }, { expect: '' }],
      "steps[1].expect is '': expected a string, a RegExp or a Uint8Array that is not empty",
    ],
    [[{ expect: 'x', maxBytes: 0 }], 'steps[0].maxBytes is 0: expected a whole number from 1 to 1048576'],
    [
      [{ expect: 'xyz', maxBytes: 2 }],
      'steps[0].expect has 3 bytes, and maxBytes is 2: expected no more than are read',
    ],
    [[{ starttls: false }], 'steps[0].starttls is false: expected true or an object as tls.connect takes it'],
    [
      [{ expect: /(a)\1/ }],
      'steps[0].expect is /(a)\\1/: it has a back-reference, which takes no linear time: write it without',
    ],
    [
      [{ expect: /(?<n>a)\k<n>/ }],
      'steps[0].expect is /(?<n>a)\\k<n>/: it has a back-reference, which takes no linear time: write it without',
    ],
    [
      [{ expect: /a(?=b)/i }],
      'steps[0].expect is /a(?=b)/i: it has look-around, which takes no linear time: write it without',
    ],
    [
      [{ expect: /(?<!a)b/ }],
      'steps[0].expect is /(?<!a)b/: it has look-around, which takes no linear time: write it without',
    ],
    [[{ expect: /x*/ }], 'steps[0].expect is /x*/: it matches nothing at all'],
    [[{ expect: anchored }], 'which RE2 reads in another way'],
    [[{ expect: /[[:alpha:]]/ }], 'which RE2 reads in another way'],
    [[{ expect: /a/y }], 'steps[0].expect is /a/y: the flags y and v are not known here: leave them out'],
    [[{ expect: /a{1001}/ }], 'steps[0].expect is /a{1001}/: RE2 does not take it: invalid repeat count: `{1001}`'],
  ])('%o are refused', (steps, message) => {
    expect(() => scriptOf(steps as ProbeStep[])).toThrow(message)
  })

  it('find strings and bytes wherever they are, however they come', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), bytes, fc.array(fc.nat(44)), (before, wanted, cuts) => {
        const all = Buffer.concat([before, wanted])
        const lengths = [...new Set([...cuts.map((cut) => Math.min(cut, all.length)), all.length])].sort(
          (a, b) => a - b,
        )
        const look = judge({ expect: wanted })
        let judged = 0
        for (const length of lengths) {
          const judgement = look(all.subarray(0, length), judged)
          if (judgement) {
            expect(judgement).toEqual({ end: all.indexOf(Buffer.from(wanted)) + wanted.length })
            return
          }
          judged = length
        }
        expect.unreachable()
      }),
    )
  })
})

describe('a pattern', () => {
  const find = (pattern: RegExp, given: string | Buffer) => patternOf('it', pattern)(Buffer.from(given as string), 0)

  it.each<[RegExp, string | Buffer, number | undefined]>([
    [/PONG/, '+PONG\r\n', 5],
    [/pong/i, '+PONG\r\n', 5],
    [/pong/, '+PONG\r\n', undefined],
    [/^220 .*\r\n/, '220 a b\r\nmore', 9],
    [/^220 .*\r\n/, '220-a\r\n220 b\r\n', undefined],
    [/^220 .*\r\n/m, '220-a\r\n220 b\r\n', 14],
    [/a.b/, 'a\nb', undefined],
    [/a.b/s, 'a\nb', 3],
    [/\xff\xfe$/, Buffer.from([1, 0xff, 0xfe]), 3],
    [/^.$/, Buffer.from([0xff]), 1],
    [/^..$/, 'é', 2],
    [/^.$/u, 'é', 2],
    [/é/, 'né', 3],
    [/\u00e9/, 'né', 3],
    [/^.$/u, Buffer.from([0xff]), 1],
    [/[\d-]+\/\d+/, 'v1-2/3', 6],
    [/\[1\]/, '[1]', 3],
    [/[\]1]/, '1', 1],
    [/PONG$/m, '+PONG\r\n', 6],
    [/^\+PONG$/m, 'a\r\n+PONG\r\n', 9],
    [/[$]\$$/m, '$$', 2],
  ])('%o in %o', (pattern, given, end) => {
    expect(find(pattern, given)).toEqual(end === undefined ? undefined : { end })
  })

  it('takes linear time where JavaScript’s own would take for ever', () => {
    const text = Buffer.from(`${'a'.repeat(4_000)}b`)
    expect(patternOf('it', /^(a+)+$/)(text, 0)).toBeUndefined()
    expect(patternOf('it', /(a|aa|a.a)*c/)(text, 0)).toBeUndefined()
  })
})

it.each<[string, ReturnType<typeof statusRanges>]>([
  ['200', [[200, 200]]],
  ['2xx', [[200, 299]]],
  [
    '2XX, 301',
    [
      [200, 299],
      [301, 301],
    ],
  ],
  ['200-204', [[200, 204]]],
  ['204-200', undefined],
  ['', undefined],
  ['20', undefined],
  ['600', undefined],
  ['6xx', undefined],
  ['200,', undefined],
  ['100', undefined],
  ['199', undefined],
  ['1xx', undefined],
  ['100-299', undefined],
  ['2xx,1xx', undefined],
])('the statuses %o', (text, ranges) => {
  expect(statusRanges(text)).toEqual(ranges)
})
