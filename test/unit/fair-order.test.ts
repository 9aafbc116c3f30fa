import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expandTargets, readTargets } from '../../src/core/expand.js'
import { charactersAtMost, FairOrder, rangesAtMost } from '../../src/core/fair-order.js'
import { permutation } from '../../src/core/permutation.js'
import { rangeIn } from '../../src/core/range.js'
import { RangeWalk } from '../../src/core/range-walk.js'
import { networkOf } from '../../src/core/shard.js'
import { parseTarget } from '../../src/core/target.js'

/** The words in the order in which their targets are taken, as the command reads them. */
function ordered(words: readonly string[], seed: number): string[] {
  const order = new FairOrder<string>()
  const taken: string[] = []
  let index = 0
  for (;;) {
    while (order.wantsWord && index < words.length) {
      const word = words[index++]!
      const range = rangeIn(word)
      if (!range) order.addSingle(word)
      else {
        const walk = new RangeWalk(word, range, seed)
        order.addRange(walk.place, walk.networks, word.length, () => walk.next()?.text)
      }
    }
    const target = order.take()
    if (target === undefined) return taken
    taken.push(target)
  }
}

const inOrder = (words: readonly string[]): string[] => words.flatMap((word) => [...expandTargets(word)])
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })

const octet = fc.oneof(
  fc.nat(255).map(String),
  fc.tuple(fc.nat(250), fc.nat(5)).map(([first, more]) => `${first}-${first + more}`),
)
const ports = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.nat(3)), { minLength: 1, maxLength: 3 })
  .map((list) => list.map(([first, more]) => (more ? `${first}-${first + more}` : `${first}`)).join(','))
const hosts = fc.oneof(
  fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')),
  fc.tuple(fc.ipV4(), fc.integer({ min: 22, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([from, to]) => `10.0.1.${from}-10.0.3.${to}`),
  fc.integer({ min: 117, max: 128 }).map((bits) => `[2001:db8::ff00/${bits}]`),
  fc.nat(255).map((from) => `[::ff${from.toString(16).padStart(2, '0')}-::1:7]`),
  fc.constantFrom('db', 'DB', 'web.internal', '10.0.0.1', '[::1]', 'tcp://db', 'tcp://10.0.0.0/30'),
)
const word = fc.oneof(
  fc.tuple(hosts, ports).map(([host, port]) => `${host}:${port}`),
  fc.constantFrom('unix:@a', 'db:5432', '[::1]:80', '10.0.0.7:80'),
)

describe('permutation', () => {
  it('has every number below the size once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer(), (size, seed) => {
        const at = permutation(size, seed)
        expect(new Set(Array.from({ length: size }, (_, index) => at(index)))).toEqual(
          new Set(Array.from({ length: size }).keys()),
        )
      }),
      { numRuns: 60 },
    )
  })

  it('is another one for another seed', () => {
    const first = Array.from({ length: 256 }, (_, index) => permutation(256, 1)(index))
    expect(first).not.toEqual(Array.from({ length: 256 }, (_, index) => permutation(256, 2)(index)))
    expect(first).not.toEqual([...first].sort((a, b) => a - b))
  })
})

describe('RangeWalk', () => {
  it('has the targets of its range, each once, and reads them as they are read by themselves', () => {
    fc.assert(
      fc.property(hosts, ports, seeds, (host, port, seed) => {
        const text = `${host}:${port}`
        const range = rangeIn(text)
        if (!range) return
        const walk = new RangeWalk(text, range, seed)
        const targets: string[] = []
        for (let target = walk.next(); target; target = walk.next()) {
          targets.push(target.text)
          expect(target.parsed).toEqual(parseTarget(target.text))
        }
        expect(targets).toHaveLength(walk.count)
        expect(targets.sort()).toEqual([...expandTargets(text)].sort())
        expect(walk.next()).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })

  it('goes round the /24s of its range, so that no window has more than its share of one', () => {
    const walk = rangeWalk('10.0.0.0/20:80,443', 7)
    const nets: string[] = []
    for (let target = walk.next(); target; target = walk.next()) nets.push(networkOf(target.parsed))
    expect(nets).toHaveLength(16 * 256 * 2)
    for (let at = 0; at < nets.length; at += 16) expect(new Set(nets.slice(at, at + 16)).size).toBe(16)
  })

  it('gives a host its second port when the others have had their first', () => {
    const walk = rangeWalk('10.0.0.0/28:80,443', 7)
    const seen: string[] = []
    for (let target = walk.next(); target; target = walk.next()) seen.push(target.text)
    expect(seen.slice(0, 16).every((text) => text.endsWith(':80'))).toBe(true)
    expect(seen.slice(16).every((text) => text.endsWith(':443'))).toBe(true)
  })
})

function rangeWalk(text: string, seed: number): RangeWalk {
  return new RangeWalk(text, rangeIn(text)!, seed)
}

describe('FairOrder', () => {
  it('takes every target of every word once', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), seeds, (words, seed) => {
        expect(ordered(words, seed).sort()).toEqual(inOrder(words).sort())
      }),
      { numRuns: 40 },
    )
  })

  it('repeats the order for the same seed, and has another for another', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), seeds, (words, seed) => {
        expect(ordered(words, seed)).toEqual(ordered(words, seed))
      }),
      { numRuns: 20 },
    )
    expect(ordered(['10.0.0.0/24:80'], 1)).not.toEqual(ordered(['10.0.0.0/24:80'], 2))
  })

  it('keeps the order as written where there are no ranges', () => {
    const words = ['b:2', 'a:1', 'a:2', '10.0.0.9:80', '10.0.0.1:80', 'unix:@a', 'b:1', 'b:2']
    expect(ordered(words, 3)).toEqual(words)
  })

  it('has the ports of one host in the order written', () => {
    expect(ordered(['db:80,443,8000-8002'], 3)).toEqual(['db:80', 'db:443', 'db:8000', 'db:8001', 'db:8002'])
  })

  /** In every window of `size` starts: at most the fair share of one network, and one more turn at either end. */
  function expectFair(words: readonly string[], size: number): void {
    const nets = ordered(words, 5).map((text) => networkOf(parseTarget(text)))
    const last = new Map(nets.map((net, at) => [net, at]))
    const counts = new Map<string, number>()
    for (let at = 0; at < nets.length; at += 1) {
      counts.set(nets[at]!, (counts.get(nets[at]!) ?? 0) + 1)
      if (at >= size) counts.set(nets[at - size]!, counts.get(nets[at - size]!)! - 1)
      // Of networks that have ended none could take the place.
      const waiting = [...last.values()].filter((end) => end >= at).length
      expect(Math.max(...counts.values()), `the window that ends at ${at}`).toBeLessThanOrEqual(
        Math.ceil(size / waiting) + 2,
      )
    }
  }

  it.each<[string, string[]]>([
    ['two /24s', ['10.0.0.0/24:80,443', '10.0.1.0/24:80']],
    ['many lines of one /24 before another', ['10.0.0.1:1-300', '10.0.0.2:1-300', '10.0.0.3:1-300', '10.0.1.0/24:80']],
    ['a /22 beside a /24', ['10.0.0.0/22:80', '10.9.0.0/24:80']],
    ['one host of many ports beside a network', ['db:1-600', '10.0.0.0/24:80,443']],
  ])('gives no network more than its share while others wait: %s', (_, words) => {
    expectFair(words, 64)
  })

  it('does so for any mixture of ranges', () => {
    const range = fc.oneof(
      fc
        .tuple(fc.nat(5), fc.integer({ min: 26, max: 30 }), ports)
        .map(([net, bits, port]) => `10.0.${net}.64/${bits}:${port}`),
      fc.tuple(fc.nat(5), fc.nat(255), fc.nat(90)).map(([net, host, more]) => `10.0.${net}.${host}:1-${9 + more}`),
      fc.tuple(fc.nat(3), fc.nat(60)).map(([name, more]) => `host-${name}:1-${9 + more}`),
      fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 })).map(([a, nets]) => `10.${9 + a}.0-${nets}.1-20:80`),
    )
    // Of two ranges that have some /24s in common and others not, each has turns for its own.
    const words = fc.uniqueArray(range, {
      maxLength: 10,
      selector: (text) => (/^10\.(9|1\d)\./.test(text) ? text.slice(0, 5) : text),
    })
    fc.assert(
      fc.property(words, fc.integer({ min: 2, max: 100 }), (words, size) => expectFair(words, size)),
      { numRuns: 60 },
    )
  })

  it('lets single targets take turns with the ranges', () => {
    const singles = Array.from({ length: 50 }, (_, index) => `host-${index}:80`)
    const taken = ordered(['10.0.0.0/24:80', ...singles.slice(0, 25), '10.0.1.0/24:80', ...singles.slice(25)], 1)
    expect(taken.filter((text) => text.startsWith('host'))).toEqual(singles)
    // One of two turns, then one of three.
    expect(taken.slice(0, 40).filter((text) => text.startsWith('host')).length).toBeGreaterThanOrEqual(19)
    expect(taken.indexOf(singles.at(-1)!)).toBeLessThan(150)
  })

  it('opens a bounded number of ranges, and reads on when one has ended', () => {
    const order = new FairOrder<number>()
    for (let opened = 0; opened < rangesAtMost; opened += 1) {
      expect(order.wantsWord).toBe(true)
      let left = 1
      order.addRange(`${opened}`, 1, 10, () => (left-- > 0 ? opened : undefined))
    }
    expect(order.wantsWord).toBe(false)
    for (let taken = 0; taken <= rangesAtMost && !order.wantsWord; taken += 1) order.take()
    expect(order.wantsWord).toBe(true)
    order.addRange('long', 1, charactersAtMost, () => undefined)
    expect(order.wantsWord).toBe(false)
  })

  it('holds nothing of a range but where it is', () => {
    const before = process.memoryUsage().heapUsed
    const walk = rangeWalk('10.0.0.0/8:80', 1)
    expect(walk.count).toBe(2 ** 24)
    for (let taken = 0; taken < 1_000; taken += 1) expect(walk.next()).toBeDefined()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000)
  })

  it('says the same of every target as reading it in the order written', () => {
    const text = (words: string[]) => words.sort()
    const words = ['10.0.0-1.*:80', '[::fffe-::1:0]:80-81', 'tcp://host:80,81', '[fe80::1%25eth0]:80-81']
    expect(text(ordered(words, 9))).toEqual(
      text(words.flatMap((word) => [...readTargets(word)].map(({ text }) => text))),
    )
  })
})
