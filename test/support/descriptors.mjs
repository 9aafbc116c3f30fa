// @ts-check
import assert from 'node:assert/strict'
import { openSync } from 'node:fs'

/** Every descriptor that is left to this process, for its caller to close. */
export function takeAll() {
  /** @type {number[]} */
  const taken = []
  assert.throws(
    () => {
      for (;;) taken.push(openSync('/dev/null', 'r'))
    },
    { code: 'EMFILE' },
  )
  return taken
}
