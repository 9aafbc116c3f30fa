import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type GateOptions, Gate as NodesGate, type Place } from '#internal/call/gate'
import * as limits from '#internal/core/limits'
import { InFlightWindow, TokenBucket } from '#internal/core/window'
import { randomFrom } from '../support/random.js'

/** In virtual time. */
const clock = {
  now: () => performance.now(),
  setTimeout: (run: () => void, delayMs: number) => setTimeout(run, delayMs),
  clearTimeout: (timer: NodeJS.Timeout | undefined) => clearTimeout(timer),
}

class Gate extends NodesGate {
  constructor(options: GateOptions) {
    super({ ...options, clock })
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left').toBe(0)
  vi.useRealTimers()
})

/** Enters under a name, and notes who was started, in order. */
function visitors(gate: Gate) {
  const started: string[] = []
  const places = new Map<string, Place>()
  const enter = (name: string, host: string | undefined = name, onStart = () => {}) => {
    places.set(
      name,
      gate.enter(host, () => {
        started.push(name)
        onStart()
      }),
    )
  }
  const end = (...names: string[]) => {
    for (const name of names) places.get(name)!.end()
  }
  return { started, enter, end }
}

/** One that never grows, so that only ends make room. */
const fixed = (size: number) => new InFlightWindow(size)

describe('a gate without limits', () => {
  it('starts whoever enters before enter returns', () => {
    const { started, enter } = visitors(new Gate({}))
    for (const name of ['a', 'b', 'c']) enter(name)
    expect(started).toEqual(['a', 'b', 'c'])
  })
})

describe('a window', () => {
  it('lets the others in as those before them end, first come first served', () => {
    const gate = new Gate({ window: fixed(2) })
    const { started, enter, end } = visitors(gate)
    for (const name of ['a', 'b', 'c', 'd', 'e']) enter(name)
    expect(started).toEqual(['a', 'b'])
    expect(gate.waiting).toBe(3)
    end('b')
    expect(started).toEqual(['a', 'b', 'c'])
    end('a', 'c')
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(gate.waiting).toBe(0)
  })

  it('grows with time while nothing ends, as where every target hangs', () => {
    const gate = new Gate({ window: new InFlightWindow(1_024) })
    const { started, enter, end } = visitors(gate)
    const names = Array.from({ length: 1_025 }, (_, index) => `host ${index}`)
    for (const name of names) enter(name)
    const counts = [0, 1, 2, 3, 4].map((step) => {
      if (step > 0) vi.advanceTimersByTime(limits.windowStepMs)
      return started.length
    })
    expect(counts).toEqual([128, 256, 512, 1_024, 1_024])
    end('host 0')
    expect(started.at(-1)).toBe('host 1024')
  })

  it('grows with time after a cut too', () => {
    const gate = new Gate({ window: new InFlightWindow(1_024) })
    const { started, enter, end } = visitors(gate)
    for (let index = 0; index < 400; index += 1) enter(`host ${index}`)
    vi.advanceTimersByTime(3 * limits.windowStepMs)
    expect(started).toHaveLength(400)
    gate.cut()
    for (let index = 400; index < 1_000; index += 1) enter(`host ${index}`)
    vi.advanceTimersByTime(60_000)
    expect(started).toHaveLength(1_000)
    end(...started)
  })

  it('counts a place that is ended twice once', () => {
    const { started, enter, end } = visitors(new Gate({ window: fixed(1) }))
    for (const name of ['a', 'b', 'c']) enter(name)
    end('a', 'a', 'a')
    expect(started).toEqual(['a', 'b'])
    end('b', 'c')
  })

  it('places over those that left the line, and never starts them', () => {
    const gate = new Gate({ window: fixed(1) })
    const { started, enter, end } = visitors(gate)
    for (const name of ['a', 'b', 'c', 'd']) enter(name)
    end('b', 'd')
    expect(gate.waiting).toBe(1)
    end('a')
    expect(started).toEqual(['a', 'c'])
    end('c')
  })

  it('that may grow with time is asked again, and by no timer once nobody waits', () => {
    const gate = new Gate({ window: new InFlightWindow(limits.windowStart * 4) })
    const { started, enter, end } = visitors(gate)
    const many = Array.from({ length: limits.windowStart * 2 + 10 }, (_, i) => `${i}`)
    for (const name of many) enter(name)
    // The first growth is free, for nothing has grown yet.
    expect(started).toHaveLength(limits.windowStart * 2)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(limits.windowStepMs)
    expect(started).toEqual(many)
    expect(vi.getTimerCount()).toBe(0)
    end(...many)
  })

  it('keeps no timer for someone who has left', () => {
    const { enter, end } = visitors(new Gate({ window: new InFlightWindow(limits.windowStart * 4) }))
    const many = Array.from({ length: limits.windowStart * 2 + 1 }, (_, i) => `${i}`)
    for (const name of many) enter(name)
    expect(vi.getTimerCount()).toBe(1)
    end(many.at(-1)!)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is cut takes in fewer', () => {
    const window = fixed(8)
    const gate = new Gate({ window })
    const { started, enter, end } = visitors(gate)
    const many = Array.from({ length: 12 }, (_, i) => `${i}`)
    for (const name of many) enter(name)
    gate.cut()
    expect(window.size).toBe(4)
    end('0', '1', '2', '3')
    expect(started).toHaveLength(8)
    end('4')
    expect(started).toHaveLength(9)
    for (const name of many) end(name)
  })
})

describe('a rate', () => {
  it('lets in a small burst, then one a token', () => {
    const { started, enter } = visitors(new Gate({ bucket: new TokenBucket(20) }))
    for (const name of ['a', 'b', 'c', 'd']) enter(name)
    expect(started).toEqual(['a', 'b'])
    vi.advanceTimersByTime(49)
    expect(started).toEqual(['a', 'b'])
    vi.advanceTimersByTime(1)
    expect(started).toEqual(['a', 'b', 'c'])
    vi.advanceTimersByTime(50)
    expect(started).toEqual(['a', 'b', 'c', 'd'])
  })

  it('takes no place in the window while it waits for a token', () => {
    const window = fixed(2)
    const { started, enter, end } = visitors(new Gate({ window, bucket: new TokenBucket(1) }))
    enter('a')
    enter('b')
    expect([started, window.inFlight]).toEqual([['a'], 1])
    end('b')
  })

  it('so low that no timer is long enough waits all the same', () => {
    const { started, enter, end } = visitors(new Gate({ bucket: new TokenBucket(1e-7) }))
    enter('a')
    enter('b')
    vi.advanceTimersByTime(60_000)
    expect(started).toEqual(['a'])
    end('b')
  })
})

describe('a limit per host', () => {
  it('parks those whose host has all it may have, and lets others by', () => {
    const gate = new Gate({ perHost: 1 })
    const { started, enter, end } = visitors(gate)
    enter('h1', 'h')
    enter('h2', 'h')
    enter('h3', 'h')
    enter('k1', 'k')
    expect([started, gate.waiting]).toEqual([['h1', 'k1'], 2])
    end('k1')
    expect(started).toEqual(['h1', 'k1'])
    end('h1')
    expect(started).toEqual(['h1', 'k1', 'h2'])
    end('h2')
    expect(started).toEqual(['h1', 'k1', 'h2', 'h3'])
    expect(gate.waiting).toBe(0)
  })

  it('says nothing of those that come without a host', () => {
    const gate = new Gate({ perHost: 1 })
    let started = 0
    const count = () => {
      started += 1
    }
    gate.enter(undefined, count)
    gate.enter(undefined, count).end()
    expect(started).toBe(2)
  })

  it('lets those that are parked leave', () => {
    const gate = new Gate({ perHost: 1 })
    const { started, enter, end } = visitors(gate)
    for (const name of ['1', '2', '3']) enter(name, 'h')
    end('2')
    expect(gate.waiting).toBe(1)
    end('1')
    expect(started).toEqual(['1', '3'])
    end('3')
  })

  it('forgets no one parked behind somebody who was called up and left before his turn', () => {
    const gate = new Gate({ window: fixed(2), perHost: 1 })
    const { started, enter, end } = visitors(gate)
    enter('h1', 'h')
    enter('k1', 'k')
    enter('h2', 'h')
    enter('h3', 'h')
    enter('j1', 'j')
    // h2 is called up behind j1, which takes the only place.
    end('h1')
    expect(started).toEqual(['h1', 'k1', 'j1'])
    end('h2')
    end('k1')
    expect(started).toEqual(['h1', 'k1', 'j1', 'h3'])
    end('j1', 'h3')
    expect(gate.waiting).toBe(0)
  })

  it('forgets no one, window or not, whoever ends or leaves and when', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = randomFrom(seed)
      const below = (n: number) => Math.floor(random() * n)
      const gate = new Gate({ window: fixed(1 + below(3)), perHost: 1 + below(2) })
      const underWay = new Set<Place>()
      const waiting = new Set<Place>()
      for (let step = 0; step < 60; step += 1) {
        const among = [...(below(3) === 0 ? waiting : underWay)]
        if (below(2) === 0 || among.length === 0) enterAs(gate, `${below(3)}`, waiting, underWay)
        else endOne(among[below(among.length)]!, waiting, underWay)
        expect(gate.waiting).toBe(waiting.size)
      }
      while (underWay.size > 0) endOne([...underWay][0]!, waiting, underWay)
      expect([seed, waiting.size]).toEqual([seed, 0])
    }
  })
})

function enterAs(gate: Gate, host: string, waiting: Set<Place>, underWay: Set<Place>): void {
  let started = false
  let place: Place | undefined
  place = gate.enter(host, () => {
    started = true
    if (place && waiting.delete(place)) underWay.add(place)
  })
  ;(started ? underWay : waiting).add(place)
}

function endOne(place: Place, waiting: Set<Place>, underWay: Set<Place>): void {
  waiting.delete(place)
  underWay.delete(place)
  place.end()
}

describe('a gate that is called from within', () => {
  it('starts those who enter or leave while it starts somebody', () => {
    const { started, enter, end } = visitors(new Gate({ window: fixed(2) }))
    enter('a', 'a', () => enter('b', 'b', () => enter('c')))
    expect(started).toEqual(['a', 'b'])
    enter('d', 'd', () => end('e'))
    enter('e')
    end('a')
    expect(started).toEqual(['a', 'b', 'c'])
    end('b')
    expect(started).toEqual(['a', 'b', 'c', 'd'])
    end('c', 'd')
    expect(started).toEqual(['a', 'b', 'c', 'd'])
  })
  it('is not called from within a start, however many leave it there', () => {
    const gate = new Gate({ window: fixed(1) })
    const many = 20_000
    const places: Place[] = []
    let started = 0
    const first = gate.enter('h', () => {})
    for (let i = 0; i < many; i += 1) {
      places.push(
        gate.enter('h', () => {
          started += 1
          places[i]!.end()
        }),
      )
    }
    first.end()
    expect([started, gate.waiting]).toEqual([many, 0])
  })

  it('gives back the place of a start that throws, and starts the others', () => {
    const { started, enter, end } = visitors(new Gate({ window: fixed(1) }))
    enter('a')
    enter('b', 'b', () => {
      throw new Error('thrown by b')
    })
    enter('c')
    expect(() => end('a')).toThrow('thrown by b')
    expect(started).toEqual(['a', 'b', 'c'])
    end('c')
  })
})
