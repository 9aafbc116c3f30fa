import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { show, toText } from '#internal/core/invalid-target'
import { jsonLine, printable, printableLines } from '#internal/core/text'
import { ConnectError } from '#internal/errors/connect-error'

/** Whatever a terminal obeys or a reader cannot see. Written as a set of its own: not by the pattern under test. */
const unsafe: [string, string[]][] = [
  ['the controls', ['\0', '\u0007', '\b', '\t', '\n', '\v', '\r', '\u001b', '\u007f']],
  ['the controls of C1', ['\u0080', '\u0084', '\u0085', '\u0090', '\u009b', '\u009d', '\u009f']],
  ['marks of direction', ['\u061c', '\u200e', '\u200f', ...between(0x202a, 0x202e), ...between(0x2066, 0x206f)]],
  ['what has no width', ['\u00ad', '\u180e', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff']],
  ['separators', ['\u2028', '\u2029']],
  ['spaces that are none', ['\u00a0', '\u1680', '\u2000', '\u200a', '\u202f', '\u205f', '\u3000', '\u2800']],
  ['lone surrogates', ['\ud83d', '\ude00', '\udb40']],
  ['fillers', ['\u034f', '\u115f', '\u1160', '\u3164', '\uffa0', '\u17b4', '\u17b5']],
  ['variation selectors', ['\ufe00', '\ufe0f', '\u180b', '\u{e0100}', '\u{e01ef}']],
  ['tags, and notes between lines', ['\u{e0001}', '\u{e0041}', '\u{e007f}', '\ufff9', '\ufffa', '\ufffb']],
  ['shorthand and music controls', ['\u{1bca0}', '\u{1d173}', '\u{1d17a}']],
  ['what is nobody’s or anybody’s', ['\ufffe', '\uffff', '\u{10ffff}', '\ue000', '\u{f0000}']],
]

function between(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i))
}

const isEscaped = (text: string) => /^(\\u[0-9a-f]{4}){1,2}$/.test(text)

describe('text from outside', () => {
  it.each(unsafe)('%s are escaped', (_, characters) => {
    for (const character of characters) {
      expect(printable(character)).toSatisfy(isEscaped)
      expect(JSON.parse(`"${printable(character)}"`)).toBe(character)
      const messages = [
        show(`x${character}y`),
        show({ [character]: character }),
        show(Symbol(character)),
        toText([character]),
      ]
      const { message } = new ConnectError({
        code: 'ENOENT',
        syscall: 'connect',
        errnoClass: 'refused',
        endpoint: { family: 'unix', path: `/run/${character}` },
        detail: character,
      })
      for (const text of [...messages.map(printable), message, jsonLine({ [character]: character })])
        expect(text).not.toContain(character)
    }
  })

  it('what people write is not', () => {
    const text = 'host-1.example:80 é 日本語 नमस्ते שלום مرحبا 😀 e\u0301 «‘’»…'
    expect(printable(text)).toBe(text)
    expect(jsonLine({ text })).toBe(JSON.stringify({ text }))
  })

  it('keeps the ends of lines where there are several', () => {
    expect(printableLines('a\u009b\n\n b\r\n')).toBe('a\\u009b\n\n b\\u000d\n')
  })

  it('as JSON reads back as the same value, in one line of what can be seen', () => {
    const anything = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) })
    fc.assert(
      fc.property(fc.dictionary(anything, fc.oneof(anything, fc.double(), fc.array(anything))), (value) => {
        const line = jsonLine(value)
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('what was given, in a message', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const thrower = () => {
    throw new Error('not to be read')
  }

  const accessor = Object.defineProperty({}, 'a', { get: thrower, enumerable: true })

  it.each<[string, () => unknown]>([
    [`'a "b" \\\\'`, () => 'a "b" \\'],
    ['5', () => 5],
    ['10', () => 10n],
    ['null', () => null],
    ['undefined', () => undefined],
    ['Symbol(s)', () => Symbol('s')],
    ['{"a":[1,{"b":"c"}],"d":1n}', () => ({ a: [1, { b: 'c' }], d: 1n, e: undefined, f: thrower })],
    ['URL {}', () => new URL('http://host/')],
    ['Buffer of 10000000 bytes', () => Buffer.alloc(10_000_000)],
    ['{"path":Uint8Array of 3 bytes}', () => ({ path: new Uint8Array(3) })],
    ['{"a":{"b":{"c":…}}}', () => ({ a: { b: { c: { d: 1 } } } })],
    [`[${'0,'.repeat(20)}…]`, () => Array(100_000).fill(0)],
    ['an object that cannot be read', () => revoked.proxy],
    ['an object that cannot be read', () => ({ a: revoked.proxy })],
    ['an object that cannot be read', () => accessor],
    ['a function that cannot be read', () => Object.assign(() => {}, { toString: thrower })],
  ])('is %s', (text, given) => {
    expect(show(given())).toBe(text)
  })

  it('is cut where it is long', () => {
    expect(show('x'.repeat(1_000_000))).toBe(`'${'x'.repeat(120)}…'`)
    const members = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`name ${i}`, 'x'.repeat(1_000)]))
    expect(show(members)).toMatch(/^\{"name 0":"x+…$/)
  })
})
