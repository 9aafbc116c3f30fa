import { expect, it } from 'vitest'
import { Expiring } from '#internal/core/expiring'

it('keeps what is not too old', () => {
  const memory = new Expiring<string, number>(2)
  memory.set('a', 1, 100)
  expect(memory.get('a', 99)).toBe(1)
  expect(memory.get('a', 100)).toBeUndefined()
  expect(memory.size).toBe(0)
})

it('forgets beyond its size what was used longest ago', () => {
  const memory = new Expiring<string, number>(2)
  memory.set('a', 1, 100)
  memory.set('b', 2, 100)
  memory.get('a', 0)
  memory.set('c', 3, 100)
  expect(['a', 'b', 'c'].map((key) => memory.get(key, 0))).toEqual([1, undefined, 3])
  expect(memory.size).toBe(2)
})

it('takes a new value for an old one, and lets go of one', () => {
  const memory = new Expiring<string, number>(2)
  memory.set('a', 1, 100)
  memory.set('a', 2, 200)
  expect(memory.get('a', 150)).toBe(2)
  memory.delete('a')
  expect(memory.get('a', 0)).toBeUndefined()
})
