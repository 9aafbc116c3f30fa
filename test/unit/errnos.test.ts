import { classify, errnos } from 'cancelpoint'
import { describe, expect, it } from 'vitest'

describe('classify', () => {
  it.each([[111], [-111], ['ECONNREFUSED']])('takes %j', (code) => {
    expect(classify(code)).toBe('refused')
  })

  it.each<[unknown, unknown, RegExp]>([
    [null, undefined, /^code is null: expected a code such as 'ECONNREFUSED' or an errno such as -111$/],
    [undefined, undefined, /^code is undefined/],
    [{}, undefined, /^code is {}/],
    ['EAGAIN', null, /^context is null: expected an object such as { family: 'unix' }$/],
  ])('refuses %j in %j by name', (code, context, message) => {
    expect(() => classify(code as never, context as never)).toThrow(message)
  })
})

describe('errnos', () => {
  it('is a Map that nobody can change', () => {
    const own = new Map(errnos)
    const map = errnos as typeof own
    const refusal = /^errnos is read-only/
    expect(() => map.set('EMINE', own.get('EPERM')!)).toThrow(refusal)
    expect(() => map.delete('EPERM')).toThrow(refusal)
    expect(() => map.clear()).toThrow(refusal)
    expect(() => Object.assign(map.get('EPERM')!, { errno: 0 })).toThrow(TypeError)
    expect(map).toBeInstanceOf(Map)
    expect(new Map(errnos)).toEqual(own)
  })
})
