import { describe, expect, it } from 'vitest'
import * as limits from '../../src/core/limits.js'
import { ServerLoad } from '../../src/core/server-load.js'

const busy = limits.quietQuestions * 4

/** A server with so many questions under way. */
function withQuestions(count: number) {
  const load = new ServerLoad()
  const sent = Array.from({ length: count }, () => load.send(0))
  return { load, sent }
}

describe('a refusal', () => {
  it('is not believed while many questions are under way', () => {
    const { load, sent } = withQuestions(busy)
    expect(load.refused(sent.at(-1)!, 'EREFUSED', 0)).toEqual({ again: true, fewer: false })
    expect(load.refused(sent.at(-1)!, 'ESERVFAIL', 0)).toEqual({ again: true, fewer: false })
  })

  it('asks for fewer at once where many are refused', () => {
    const { load, sent } = withQuestions(busy)
    const verdicts = sent.slice(limits.quietQuestions).map((each) => load.refused(each, 'EREFUSED', 0).fewer)
    expect(verdicts.indexOf(true)).toBe(limits.refusalsOfLoad)
    expect(load.refused(sent.at(-1)!, 'EREFUSED', limits.loadRetriesAtMost - 1).again).toBe(true)
    expect(load.refused(sent.at(-1)!, 'EREFUSED', limits.loadRetriesAtMost).again).toBe(false)
  })

  it('is soon believed where few are refused', () => {
    const { load, sent } = withQuestions(busy)
    for (const each of sent) load.answered(each, 1)
    const verdict = load.refused(sent.at(-1)!, 'ESERVFAIL', limits.doubtfulRetriesAtMost)
    expect(verdict).toEqual({ again: false, fewer: false })
  })

  it('is believed at once by a server that has answered nothing, where few are under way', () => {
    const { load, sent } = withQuestions(busy)
    expect(load.refused(sent[0]!, 'EREFUSED', 0)).toEqual({ again: false, fewer: false })
    // It refuses whatever the load is.
    expect(load.refused(sent.at(-1)!, 'EREFUSED', 0)).toEqual({ again: false, fewer: false })
    load.answered(sent[1]!, 1)
    expect(load.refused(sent.at(-1)!, 'EREFUSED', 0).again).toBe(true)
  })

  it('is doubted where few of ours are under way: others may ask the server too', () => {
    const { load, sent } = withQuestions(2)
    load.answered(sent[0]!, 1)
    expect(load.refused(sent[1]!, 'EREFUSED', 0)).toEqual({ again: true, fewer: false })
    expect(load.refused(sent[1]!, 'EREFUSED', limits.doubtfulRetriesAtMost).again).toBe(false)
    expect(load.refused(sent[1]!, 'ESERVFAIL', 0).again).toBe(false)
  })

  it('speaks of names where as many are refused while few are under way', () => {
    const { load, sent } = withQuestions(busy)
    const [quiet, loud] = [sent[0]!, sent.at(-1)!]
    for (let i = 0; i < limits.outcomesRemembered; i += 1) {
      for (const each of [quiet, loud]) {
        if (i % 3 === 0) load.refused(each, 'ESERVFAIL', 0)
        else load.answered(each, 1)
      }
    }
    expect(load.refused(loud, 'ESERVFAIL', 0).fewer).toBe(false)
  })
})

describe('a question that is dropped', () => {
  it('comes of load where the server answered others meanwhile, and drops many', () => {
    const { load, sent } = withQuestions(busy)
    const loud = sent.at(-1)!
    expect(load.dropped(loud)).toBe(false)
    load.answered(loud, 1)
    const verdicts = Array.from({ length: limits.refusalsOfLoad + 1 }, () => load.dropped(loud))
    expect(verdicts.indexOf(true)).toBe(limits.refusalsOfLoad)
    expect(load.dropped(sent[0]!)).toBe(false)
  })
})
