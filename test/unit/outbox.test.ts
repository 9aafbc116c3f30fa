import { describe, expect, it } from 'vitest'
import { Outbox, type OutboxLimits } from '#internal/core/outbox'

const limits: OutboxLimits = {
  gatherMs: 1_000,
  changesAMessage: 3,
  bytesAMessage: 300,
  changesAtMost: 5,
  bytesAtMost: 1_000,
}

type Change = { name: string; from: string; to: string; since: number }

/** `a up>down`: a change of target a. */
function changeOf(text: string, since = 0): Change {
  const [name, states] = text.split(' ') as [string, string]
  const [from, to] = states.split('>') as [string, string]
  return { name, from, to, since }
}

function filled(texts: string[], given: Partial<OutboxLimits> = {}, bytes = 10): Outbox<Change> {
  const outbox = new Outbox<Change>({ ...limits, ...given })
  for (const [at, text] of texts.entries()) outbox.add(text.split(' ')[0]!, changeOf(text, at), bytes, at)
  return outbox
}

const written = (changes: readonly Change[] = []) => changes.map(({ name, from, to }) => `${name} ${from}>${to}`)

describe('what travels together', () => {
  it('is what came within a second, and no more than one message takes', () => {
    const outbox = filled(['a up>down', 'b up>down'])
    expect(outbox.waitMs(1)).toBe(999)
    expect(outbox.waitMs(1_000)).toBe(0)
    expect(outbox.waitMs(5_000)).toBe(0)
    outbox.add('c', changeOf('c up>down'), 10, 500)
    expect(outbox.waitMs(500)).toBe(0)
    outbox.add('d', changeOf('d up>down'), 10, 600)
    expect(written(outbox.take()!.changes)).toEqual(['a up>down', 'b up>down', 'c up>down'])
    expect(outbox.waitMs(700)).toBe(900)
    expect(written(outbox.take()!.changes)).toEqual(['d up>down'])
    expect(outbox.waitMs(700)).toBeUndefined()
    expect(outbox.take()).toBeUndefined()
  })

  it('is bounded by bytes, and one change is taken however large it is', () => {
    const outbox = filled(['a up>down', 'b up>down', 'c up>down'], { changesAMessage: 10 }, 200)
    expect(outbox.waitMs(2)).toBe(0)
    expect(outbox.take()!.changes).toHaveLength(1)
    const large = filled(['a up>down'], {}, 900)
    expect(large.take()!.changes).toHaveLength(1)
  })
})

describe('where too much waits', () => {
  it('the oldest becomes one with the next of its target', () => {
    const outbox = filled(['a unknown>up', 'b up>down', 'a up>down', 'c up>down', 'd up>down', 'e up>down'])
    expect(outbox.waiting).toBe(5)
    const { changes, lost, merged } = outbox.take()!
    expect(written(changes)).toEqual(['b up>down', 'a unknown>down', 'c up>down'])
    expect(changes[1]!.since).toBe(0)
    expect({ lost, merged }).toEqual({ lost: 0, merged: 1 })
    expect(outbox.take()).toMatchObject({ lost: 0, merged: 0 })
  })

  it('two that undo each other come to nothing', () => {
    const outbox = filled(['a up>down', 'b up>down', 'a down>up', 'c up>down', 'd up>down', 'e up>down'])
    expect(outbox).toMatchObject({ waiting: 4, lost: 0, merged: 2 })
    expect(written(outbox.take()!.changes)).toEqual(['b up>down', 'c up>down', 'd up>down'])
  })

  it('and so on along a chain', () => {
    const texts = [
      'a unknown>up',
      'a up>down',
      'a down>up',
      'a up>down',
      'a down>up',
      'b up>down',
      'c up>down',
      'd up>down',
    ]
    const outbox = filled(texts)
    expect(outbox).toMatchObject({ waiting: 5, lost: 0, merged: 3 })
    expect(written(outbox.take()!.changes)).toEqual(['a unknown>down', 'a down>up', 'b up>down'])
  })

  it('a change that nothing follows is lost, and counted', () => {
    const outbox = filled(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `${name} up>down`))
    expect(outbox).toMatchObject({ waiting: 5, lost: 2, merged: 0 })
    expect(outbox.take()).toMatchObject({ lost: 2 })
    outbox.lose(3)
    expect(outbox.take()).toMatchObject({ lost: 3 })
    expect(outbox.lost).toBe(5)
  })

  it('bytes count as changes do', () => {
    const outbox = filled(['a up>down', 'b up>down', 'c up>down'], {}, 400)
    expect(outbox).toMatchObject({ waiting: 2, lost: 1 })
    const empty = filled(['a up>down'], {}, 2_000)
    expect(empty).toMatchObject({ waiting: 0, lost: 1 })
    expect(empty.clear()).toBe(0)
    expect(outbox.clear()).toBe(2)
    expect(outbox).toMatchObject({ waiting: 0, lost: 3 })
  })

  it('whatever comes, the last state of each target is right, or its loss is counted', () => {
    const outbox = new Outbox<Change>({ ...limits, changesAtMost: 50, bytesAtMost: 10_000 })
    const states = new Map<string, string>()
    let seed = 7
    let told = 0
    const heard = new Map<string, string>()
    const take = () => {
      const batch = outbox.take()
      for (const { name, from, to } of batch?.changes ?? []) {
        expect(heard.get(name) ?? 'unknown').toBe(from)
        heard.set(name, to)
        told += 1
      }
      return batch
    }
    const names = 40
    for (let each = 0; each < 20_000; each += 1) {
      seed = (seed * 48_271) % 2_147_483_647
      const name = `t${seed % names}`
      const from = states.get(name) ?? 'unknown'
      const to = from === 'up' ? 'down' : 'up'
      states.set(name, to)
      outbox.add(name, { name, from, to, since: each }, 10, each)
      if (seed % 50 === 0) take()
    }
    while (take());
    // There are fewer targets than places, so that each keeps one.
    expect(outbox.lost).toBe(0)
    expect(told + outbox.merged).toBe(20_000)
    expect(heard).toEqual(states)
  })
})
