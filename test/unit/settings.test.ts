import { describe, expect, it } from 'vitest'
import { connectDefaults, settle } from '#internal/call/settings'

describe('defaults', () => {
  it('stand where an option is undefined, and are not changed', () => {
    const defaults = { timeoutMs: 5, attemptTimeoutMs: 3, noDelay: true }
    const settled = settle(defaults, { timeoutMs: undefined, noDelay: false })
    expect(settled).toEqual({ timeoutMs: 5, attemptTimeoutMs: 3, noDelay: false })
    expect(defaults).toEqual({ timeoutMs: 5, attemptTimeoutMs: 3, noDelay: true })
  })

  it('are themselves where nothing is given', () => {
    expect(settle(connectDefaults, undefined)).toBe(connectDefaults)
    expect(settle(connectDefaults, {})).toBe(connectDefaults)
  })
})
