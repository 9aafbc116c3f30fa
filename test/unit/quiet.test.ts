import { expect, it } from 'vitest'
import { Quiet } from '#internal/core/quiet'

const rules = { quietMs: 100, atMostMs: 1_000 }

it('waits until it was quiet for a while', () => {
  const quiet = new Quiet(rules)
  expect(quiet.waitMs(0)).toBeUndefined()
  quiet.heard(0)
  expect(quiet.waitMs(0)).toBe(100)
  quiet.heard(60)
  expect(quiet.waitMs(60)).toBe(100)
  expect(quiet.waitMs(160)).toBe(0)
  expect(quiet.waitMs(500)).toBe(0)
})

it('and not for ever', () => {
  const quiet = new Quiet(rules)
  for (let now = 0; now <= 950; now += 50) quiet.heard(now)
  expect(quiet.waitMs(950)).toBe(50)
  quiet.heard(1_000)
  expect(quiet.waitMs(1_000)).toBe(0)
  quiet.taken()
  expect(quiet.waitMs(1_000)).toBeUndefined()
  quiet.heard(1_010)
  expect(quiet.waitMs(1_010)).toBe(100)
})
