import { describe, expect, it } from 'vitest'
import { type Finding, Search } from '../../src/core/search.js'

/** The names that are asked for, and whose failure is what the search comes to. */
function walk(candidates: string[], asWritten: string, findings: Record<string, Finding>) {
  const search = new Search<string>(candidates, asWritten)
  const asked: string[] = []
  for (let name = search.candidate; name !== undefined; name = search.candidate) {
    asked.push(name)
    search.failed(findings[name] ?? 'none', name)
  }
  return [asked.join(' '), search.error]
}

describe('the search', () => {
  it.each<[string, string[], string, Record<string, Finding>, string, string]>([
    ['goes through names that do not exist', ['a.x', 'a.y', 'a'], 'a', {}, 'a.x a.y a', 'a.x'],
    ['passes broken domains and remembers them', ['a.x', 'a.y', 'a'], 'a', { 'a.x': 'servfail' }, 'a.x a.y a', 'a.x'],
    [
      'goes on to the name itself where nobody could say',
      ['a.x', 'a.y', 'a'],
      'a',
      { 'a.x': 'unsaid' },
      'a.x a',
      'a.x',
    ],
    ['ends at the name itself', ['a.x', 'a'], 'a', { a: 'servfail' }, 'a.x a', 'a'],
    ['takes no longer name for one that is broken', ['a.b', 'a.b.x'], 'a.b', { 'a.b': 'servfail' }, 'a.b', 'a.b'],
    ['takes no longer name where nobody could say', ['a.b', 'a.b.x'], 'a.b', { 'a.b': 'unsaid' }, 'a.b', 'a.b'],
    ['believes the name itself, asked first', ['a.b', 'a.b.x'], 'a.b', { 'a.b.x': 'servfail' }, 'a.b a.b.x', 'a.b'],
  ])('%s', (_, candidates, asWritten, findings, asked, error) => {
    expect(walk(candidates, asWritten, findings)).toEqual([asked, error])
  })
})
