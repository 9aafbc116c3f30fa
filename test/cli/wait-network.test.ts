/** Waiting where the network changes meanwhile: in a namespace, by the fixture wait-namespace.mjs. */
import { beforeAll, describe, expect, it } from 'vitest'
import { answerInNamespace, refusalOfNamespace } from '../support/namespace.js'

const flags = '-Urnm'
const refused = refusalOfNamespace(flags)

interface Answer {
  code: number
  told: string
  /** How often the name server was asked. */
  asked?: number
  /** Why the case could not be set up. */
  refused?: string
}

describe.skipIf(refused)('cancelpoint wait, in a network of its own', () => {
  let answers: Record<string, Answer>
  beforeAll(() => {
    answers = answerInNamespace(flags, 'wait-namespace')
  }, 120_000)

  it.each([
    'localhost without IPv6',
    'localhost without IPv4',
    'localhost that serves IPv6 alone',
    'the family asked for',
    'a name that DNS knows later',
    'a name that the hosts file knows later',
    'an address that there is no way to yet',
    'an address that a rule forbids for a while',
  ])('waits for %s', (name) => {
    const { code, told, refused } = answers[name]!
    if (refused === undefined)
      expect({ code, told }).toEqual({ code: 0, told: expect.stringMatching(/ is up, after /) })
  })

  it('tries the addresses of a name side by side', () => {
    const answer = answers['a name of which one address hangs, and that address']
    expect(answer).toEqual({ code: 0, told: 'name, address' })
  })

  it('asks for a name anew with every try', () => {
    expect(answers['a name that DNS knows later']!.asked).toBe(3)
  })

  it('waits no longer than told for the other family, and for a name that there never is', () => {
    expect(answers['the other family alone']).toMatchObject({ code: 1, told: expect.stringContaining('ECONNREFUSED') })
    expect(answers['a name that there never is']).toMatchObject({ code: 1, told: expect.stringContaining('ENOTFOUND') })
  })

  it('takes a name that is gone for down, and one that nobody could be asked for for unknown', () => {
    expect(answers['a name that there never is, in reverse']).toMatchObject({ code: 0 })
    expect(answers['name servers that are not there, in reverse']).toMatchObject({
      code: 1,
      told: expect.stringMatching(/unknown +EAI_AGAIN \(name\)/),
    })
  })
})
