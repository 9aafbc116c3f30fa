import { expect, it } from 'vitest'
import { headerLine, readStateLine, stateLine } from '#internal/core/state-lines'

it.each([
  { target: 'a:1', state: 'up' as const, since: 1 },
  { target: 'unix:/run/\u2028"x', labels: { job: 'ä', 'a b': '' }, state: 'down' as const, since: 1.5 },
])('%j is read as it was written', (state) => {
  expect(readStateLine(stateLine(state)!.slice(0, -1))).toEqual({ kind: 'state', state })
})

it('of what is not known there is no line', () => {
  expect(stateLine({ target: 'a:1', state: 'unknown', since: 1 })).toBeUndefined()
})

it('the header says the version', () => {
  expect(readStateLine(headerLine.trim())).toEqual({ kind: 'header', version: 1 })
})

it.each([
  '',
  'x',
  '[]',
  'null',
  '1',
  '{}',
  '{"target":"a:1","state":"up","since":1',
  '{"target":"a:1","state":"uq","since":1}',
  '{"target":"a:1","state":"unknown","since":1}',
  '{"target":1,"state":"up","since":1}',
  '{"target":"a:1","state":"up","since":"1"}',
  '{"target":"a:1","state":"up","since":1e999}',
  '{"target":"a:1","state":"up","since":1,"labels":{"a":1}}',
  '{"target":"a:1","state":"up","since":1,"labels":[]}',
  '{"target":"a\ufffd:1","state":"up","since":1}',
  '\0\0\0',
])('%j is damaged', (text) => expect(readStateLine(text)).toEqual({ kind: 'damaged' }))
