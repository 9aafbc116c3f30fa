import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as limits from '#internal/core/limits'
import { Race, type RaceEvent } from '#internal/core/race'
import { at, families, inOrder, nameOf, type PlayOptions, play, written } from '../support/race.js'

const { resolutionDelayMs, attemptDelayMs, attemptDelayAtLeastMs, attemptDelayAtMostMs } = limits

type Row = [what: string, script: [number, string][], log: string[], options?: PlayOptions]

const tables: Record<string, Row[]> = {
  'section 3, Hostname Resolution Query Handling': [
    ['AAAA first: starts at once, without waiting for A', [[5, 'AAAA 6a']], ['5 start 6a']],
    ['A first: waits the resolution delay', [[0, 'A 4a']], ['50 start 4a']],
    [
      'A first, AAAA within the delay: IPv6 starts at once',
      [
        [0, 'A 4a'],
        [20, 'AAAA 6a'],
      ],
      ['20 start 6a', '270 start 4a'],
    ],
    [
      'A first, a negative AAAA within the delay: no need to wait on',
      [
        [0, 'A 4a'],
        [20, 'AAAA'],
      ],
      ['20 start 4a'],
    ],
    [
      'A first, AAAA after the delay: joins those not yet tried, and has the next turn',
      [
        [0, 'A 4a 4b'],
        [100, 'AAAA 6a'],
      ],
      ['50 start 4a', '300 start 6a', '550 start 4b'],
    ],
    [
      'AAAA that comes when every A has failed starts at once',
      [
        [0, 'A 4a'],
        [60, 'fail 4a'],
        [400, 'AAAA 6a'],
      ],
      ['50 start 4a', '400 start 6a'],
    ],
    ['a negative A is waited out for nobody', [[0, 'A']], []],
    [
      'no address of either family',
      [
        [0, 'A'],
        [9, 'AAAA'],
      ],
      ['9 lose'],
    ],
    [
      'IPv6 already under way: A joins without a resolution delay',
      [
        [0, 'AAAA 6a'],
        [300, 'A 4a'],
      ],
      ['0 start 6a', '300 start 4a'],
    ],
    ['only A was asked for: nothing to wait for', [[0, 'A 4a']], ['0 start 4a'], { families: ['inet'] }],
  ],
  'section 4, Sorting Addresses': [
    [
      'families alternate, each in its own order; what is left over follows',
      [[0, 'both 6a 6b 6c 4a 4b']],
      ['0 start 6a', '250 start 4a', '500 start 6b', '750 start 4b', '1000 start 6c'],
    ],
    [
      'the first address says which family is first',
      [[0, 'both 4a 4b 6a']],
      ['0 start 4a', '250 start 6a', '500 start 4b'],
    ],
    [
      'each family in order of preference, the most preferred address of all first',
      [[0, 'both 6a 6b 4a 4b']],
      ['0 start 4b', '250 start 6b', '500 start 4a', '750 start 6a'],
      { order: inOrder('4b 6b 4a 6a') },
    ],
    [
      'an A answer that waited is first where it is preferred',
      [
        [0, 'A 4b 4a'],
        [20, 'AAAA 6a'],
      ],
      ['20 start 4a', '270 start 6a', '520 start 4b'],
      { order: inOrder('4a 6a 4b') },
    ],
    [
      'and is not where it is not',
      [
        [0, 'A 4a'],
        [20, 'AAAA 6b 6a'],
      ],
      ['20 start 6a', '270 start 4a', '520 start 6b'],
      { order: inOrder('6a 4a 6b') },
    ],
    [
      'an AAAA answer that comes first does not wait to be compared',
      [
        [0, 'AAAA 6a 6b'],
        [20, 'A 4a 4b'],
      ],
      ['0 start 6b', '250 start 4b', '500 start 6a', '750 start 4a'],
      { order: inOrder('4b 4a 6b 6a') },
    ],
    [
      'what comes late is put in order, and has the next turn',
      [
        [0, 'A 4a 4b'],
        [100, 'AAAA 6a 6b'],
      ],
      ['50 start 4b', '300 start 6b', '550 start 4a', '800 start 6a'],
      { order: inOrder('4b 4a 6b 6a') },
    ],
    [
      'the last good address is first, whatever is preferred',
      [[0, 'both 6a 4a 4b']],
      ['0 start 4a', '250 start 6a', '500 start 4b'],
      { order: inOrder('6a 4b 4a'), lastGood: written('4a') },
    ],
    ['an address that comes twice is tried once', [[0, 'both 4a 4a 6a 4a']], ['0 start 4a', '250 start 6a']],
    [
      'the last good address is first, its family’s others keep their order',
      [[0, 'both 6a 4a 4b']],
      ['0 start 4b', '250 start 6a', '500 start 4a'],
      { lastGood: written('4b') },
    ],
    [
      'a last good address among the A answers needs no AAAA',
      [[0, 'A 4a']],
      ['0 start 4a'],
      { lastGood: written('4a') },
    ],
    ['a last good address that is gone changes nothing', [[0, 'A 4a']], ['50 start 4a'], { lastGood: written('4z') }],
    [
      'a last good address that comes late is next',
      [
        [0, 'AAAA 6a 6b'],
        [10, 'A 4a 4b'],
      ],
      ['0 start 6a', '250 start 4b', '500 start 6b', '750 start 4a'],
      { lastGood: written('4b') },
    ],
  ],
  'section 5, Connection Attempts': [
    [
      'one after the other, an attempt delay apart, counted from the last start',
      [
        [0, 'both 6a 4a'],
        [100, 'A'],
      ],
      ['0 start 6a', '250 start 4a'],
    ],
    [
      'the first to connect wins, and what was not tried is not',
      [
        [0, 'both 6a 4a 6b'],
        [260, 'connect 6a'],
      ],
      ['0 start 6a', '250 start 4a', '260 win 6a'],
    ],
    [
      'a failure starts the next at once, and the delay counts from there',
      [
        [0, 'both 6a 4a 6b'],
        [30, 'fail 6a'],
      ],
      ['0 start 6a', '30 start 4a', '280 start 6b'],
    ],
    [
      'the failure of an older one starts the next too',
      [
        [0, 'both 6a 4a 6b'],
        [300, 'fail 6a'],
      ],
      ['0 start 6a', '250 start 4a', '300 start 6b'],
    ],
    [
      'but never within 10 ms of one that is still under way',
      [
        [0, 'both 6a 4a 6b'],
        [253, 'fail 6a'],
      ],
      ['0 start 6a', '250 start 4a', '260 start 6b'],
    ],
    [
      'all fail',
      [
        [0, 'both 6a 4a'],
        [1, 'fail 6a'],
        [2, 'fail 4a'],
      ],
      ['0 start 6a', '1 start 4a', '2 lose'],
    ],
    [
      'all that came have failed: the answer to come may still save it',
      [
        [0, 'AAAA 6a'],
        [1, 'fail 6a'],
        [90, 'A'],
      ],
      ['0 start 6a', '90 lose'],
    ],
    [
      'an attempt that waits for its turn on this machine holds back the others',
      [
        [0, 'both 6a 4a'],
        [1_000, 'begin 6a'],
      ],
      ['0 start 6a', '1250 start 4a'],
      { delayed: ['6a'] },
    ],
    [
      'and so it does when an older one fails meanwhile',
      [
        [0, 'both 6a 4a 6b'],
        [300, 'fail 6a'],
        [600, 'begin 4a'],
      ],
      ['0 start 6a', '250 start 4a', '850 start 6b'],
      { delayed: ['4a'] },
    ],
    [
      'a shorter delay is held to 10 ms',
      [[0, 'both 6a 4a']],
      ['0 start 6a', `${attemptDelayAtLeastMs} start 4a`],
      { attemptDelayMs: 1 },
    ],
    [
      'a longer one to 2 s',
      [[0, 'both 6a 4a']],
      ['0 start 6a', `${attemptDelayAtMostMs} start 4a`],
      { attemptDelayMs: 60_000 },
    ],
    [
      'over is over',
      [
        [0, 'both 6a 4a'],
        [5, 'connect 6a'],
        [6, 'connect 6a'],
        [7, 'fail 4a'],
        [8, 'A 4b'],
      ],
      ['0 start 6a', '5 win 6a'],
    ],
  ],
}

describe.each(Object.entries(tables))('RFC 8305, %s', (_, rows) => {
  it.each(rows)('%s', (_what, script, log, options) => {
    expect(play(script, options)).toEqual(log)
  })
})

it('has the delays that section 8 recommends', () => {
  expect({ resolutionDelayMs, attemptDelayMs, attemptDelayAtLeastMs, attemptDelayAtMostMs }).toEqual({
    resolutionDelayMs: 50,
    attemptDelayMs: 250,
    attemptDelayAtLeastMs: 10,
    attemptDelayAtMostMs: 2_000,
  })
})

/** An answer's addresses, and for each how long it waits for its turn, how long it takes, and how it ends. */
const addressNames = ['4a', '4b', '4c', '6a', '6b', '6c']
const fate = fc.record({ waits: fc.nat(400), takes: fc.nat(600), connects: fc.boolean() })
const world = fc.record({
  answers: fc.tuple(
    ...(['inet6', 'inet'] as const).map((family) =>
      fc.record({
        family: fc.constant(family),
        at: fc.nat(500),
        names: fc.array(fc.constantFrom(...addressNames.filter((name) => (name[0] === '6') === (family === 'inet6')))),
      }),
    ),
  ),
  fates: fc.record(Object.fromEntries(addressNames.map((name) => [name, fate]))),
  lastGood: fc.constantFrom(undefined, ...addressNames.map(written)),
  attemptDelayMs: fc.nat(3_000),
  preferred: fc.shuffledSubarray(addressNames, { minLength: addressNames.length }),
})

it('starts every address once at most, an end comes exactly once, and a loss only after all have failed', () => {
  fc.assert(
    fc.property(world, ({ answers, fates, lastGood, attemptDelayMs, preferred }) => {
      const race = new Race({ families: families.both!, lastGood, attemptDelayMs, order: inOrder(preferred.join(' ')) })
      const pending: { at: number; event: RaceEvent }[] = answers.map(({ family, at: when, names }) => ({
        at: when,
        event: { type: 'resolved', families: [family], endpoints: names.map(at) },
      }))
      const began = new Map<string, number>()
      const asked: string[] = []
      const running = new Set<string>()
      const ends: string[] = []
      let wakeAt = Number.POSITIVE_INFINITY
      for (;;) {
        pending.sort((a, b) => a.at - b.at)
        const next = pending[0]
        const now = Math.min(next?.at ?? Number.POSITIVE_INFINITY, wakeAt)
        if (now === Number.POSITIVE_INFINITY) break
        const event: RaceEvent = next && next.at <= wakeAt ? pending.shift()!.event : { type: 'woken' }
        if (event.type === 'failed') running.delete(nameOf(event.endpoint))
        if (event.type === 'started') began.set(nameOf(event.endpoint), now)
        wakeAt = Number.POSITIVE_INFINITY
        for (const action of race.on(event, now)) {
          if (action.type === 'wake') {
            expect(action.at).toBeGreaterThan(now)
            wakeAt = action.at
          } else if (action.type === 'start') {
            const { endpoint } = action
            const name = nameOf(endpoint)
            expect(ends).toEqual([])
            for (const other of running)
              expect(now - (began.get(other) ?? now)).toBeGreaterThanOrEqual(attemptDelayAtLeastMs)
            asked.push(name)
            running.add(name)
            const { waits, takes, connects } = fates[name]!
            pending.push({ at: now + waits, event: { type: 'started', endpoint } })
            pending.push({ at: now + waits + takes, event: { type: connects ? 'connected' : 'failed', endpoint } })
          } else {
            ends.push(action.type)
            if (action.type === 'win') expect(running).toContain(nameOf(action.endpoint))
          }
        }
      }
      expect(ends).toHaveLength(1)
      expect(new Set(asked).size).toBe(asked.length)
      const all = new Set(answers.flatMap(({ names }) => names))
      if (ends[0] === 'lose') {
        expect(new Set(asked)).toEqual(all)
        expect(running.size).toBe(0)
      }
      const anyConnects = [...all].some((name) => fates[name]!.connects)
      expect(ends[0]).toBe(anyConnects ? 'win' : 'lose')
    }),
    { numRuns: 500 },
  )
})
