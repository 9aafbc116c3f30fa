import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { table, wrapped } from '#internal/cli/table'

const rows = [
  ['TARGET', 'STATUS', 'WHY'],
  ['db.internal:5432', 'down', 'Nobody answered in time.'],
  ['例え.test:80', 'up', ''],
]

describe('table', () => {
  it('has columns, however wide its cells are drawn', () => {
    expect(table(rows).split('\n')).toEqual([
      '  TARGET            STATUS  WHY',
      '  db.internal:5432  down    Nobody answered in time.',
      '  例え.test:80      up',
    ])
  })

  it('breaks cells between words where the terminal is narrower', () => {
    expect(table(rows, 44).split('\n').slice(0, 3)).toEqual([
      '  TARGET            STATUS  WHY',
      '  db.internal:5432  down    Nobody answered',
      '                            in time.',
    ])
  })

  it('puts cells one after the other where a column would have to break a word', () => {
    expect(table(rows, 30).split('\n').slice(0, 4)).toEqual([
      '  TARGET  STATUS  WHY',
      '  db.internal:5432  down',
      '    Nobody answered in time.',
      '  例え.test:80  up',
    ])
  })

  const word = fc.string({ unit: fc.constantFrom('a', 'b', '例', '-'), minLength: 1, maxLength: 12 })
  const cell = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))

  it('never breaks a word, loses none, and is no wider than the terminal unless a word is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 30, max: 120 }),
        (cells, columns) => {
          const text = table(cells, columns)
          const words = (of: string) => of.split(/\s+/).filter((part) => part !== '')
          expect(words(text).sort()).toEqual(words(cells.flat().join(' ')).sort())
          for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
        },
      ),
    )
  })
})

describe('wrapped', () => {
  it('leaves alone what fits, and what goes to no terminal', () => {
    expect(wrapped('  a b\n\n  c', 5)).toBe('  a b\n\n  c')
    expect(wrapped('a very long line', undefined)).toBe('a very long line')
  })

  it('goes on under the beginning of the line, with its hanging indent', () => {
    expect(wrapped('  one two three four', 12, '  ')).toBe('  one two\n    three\n    four')
  })

  it('keeps a word whole that is longer than the line', () => {
    expect(wrapped('see /a/very/long/path for more', 10)).toBe('see\n/a/very/long/path\nfor more')
  })
})
