import { beforeAll, describe, expect, it, vi } from 'vitest'
import { type Ended, runFixture } from '../support/child.js'
import { useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

vi.setConfig({ testTimeout: 300_000 })

const targets = useStations()
/** Races need repetition: `CANCELPOINT_FULL=1` gives them more of it. */
const rounds = process.env.CANCELPOINT_FULL ? 20 : 4

function expectDone(ended: Ended): void {
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'done\n', stderr: '' })
}

/** Two at a time: each is a process of its own. */
async function repeat(times: number, run: () => Promise<void>): Promise<void> {
  for (let round = 0; round < times; round += 2) await Promise.all([run(), run()])
}

describe.each(engines)('%s engine:', (engine) => {
  // The fixtures' managers read it.
  beforeAll(() => {
    process.env.CANCELPOINT_ENGINE = engine
  })

  describe('a process that ends with connects in flight', () => {
    it.each([
      ['exit at once', 20],
      ['exit', 20],
      ['exit', 500],
      ['abort and exit', 200],
    ])('keeps its exit code: %s, %i connects', (how, count) =>
      repeat(rounds, async () => {
        const ended = await runFixture('exit', targets.hang, targets.stall, String(count), how)
        expect(ended).toEqual({ code: 7, signal: null, stdout: '', stderr: '' })
      }),
    )

    it('tells of an uncaught exception as ever', () =>
      repeat(rounds, async () => {
        const ended = await runFixture('exit', targets.hang, targets.stall, '20', 'throw')
        expect(ended).toMatchObject({ code: 1, signal: null, stderr: expect.stringContaining('uncaught, on purpose') })
      }))
  })

  describe('a process with an open manager', () => {
    it.each([
      'unused',
      'after a connect',
      'after a connect of the default manager',
      'after a check',
      'after an open',
      'after a posix connect',
      'closed',
    ])('ends by itself: %s', async (how) => {
      const ended = await runFixture('idle', targets.accept, how)
      expect(ended).toEqual({ code: 0, signal: null, stdout: ' ended', stderr: '' })
    })

    it('ends by itself: after a cancel', async () => {
      const ended = await runFixture('idle', targets.hang, 'after a cancel')
      expect(ended).toEqual({ code: 0, signal: null, stdout: ' ended', stderr: '' })
    })

    it('is kept alive by a call in flight', async () => {
      const ended = await runFixture('idle', targets.hang, 'in flight')
      expect(ended).toEqual({ code: 0, signal: null, stdout: 'ETIMEDOUT ended', stderr: '' })
    })
  })

  describe('a worker that ends', () => {
    it('used cancelpoint itself: nothing of it is left', async () => {
      expectDone(await runFixture('user-worker', JSON.stringify(targets), String(rounds)))
    })

    it('was about to make sockets of descriptors: they are closed', async () => {
      expectDone(await runFixture('hand-over', targets.accept, String(5 * rounds)))
    })

    it('leaves the attempts of others alone', async () => {
      expectDone(await runFixture('neighbours', targets.accept, targets.hang))
    })
  })
})

describe('both engines in one process', () => {
  beforeAll(() => {
    process.env.CANCELPOINT_ENGINE = 'both'
  })

  it('end with it', () =>
    repeat(rounds, async () => {
      const ended = await runFixture('exit', targets.hang, targets.stall, '200', 'exit')
      expect(ended).toEqual({ code: 7, signal: null, stdout: '', stderr: '' })
    }))

  it('end with each of the workers that use them: nothing is left', async () => {
    expectDone(await runFixture('user-worker', JSON.stringify(targets), String(rounds)))
  })
})

describe('a worker that ends', () => {
  it('is the pool’s own is replaced, its attempts go on, and too many of them close the manager', async () => {
    expectDone(await runFixture('pool-worker', targets.hang, targets.accept))
  })

  it('is the pool’s own delivers nothing twice, and loses nothing', async () => {
    expectDone(await runFixture('never-twice'))
  })

  it('is the pool’s own may do so at any moment of its start', async () => {
    expectDone(await runFixture('start-and-end', targets.hang, String(25 * rounds)))
  })

  it('may do so while it loads the addon', async () => {
    expectDone(await runFixture('load-and-end', String(2 * rounds)))
  })
})

describe('a process without threads', () => {
  it('waits where no worker can be made, and connects once one can', async () => {
    expectDone(await runFixture('no-thread', targets.accept))
  })
})

describe('a process without descriptors', () => {
  it.each([0, 2, 3])('waits where no worker can start, with %i left, and connects once one can', async (free) => {
    expectDone(await runFixture('no-worker', targets.accept, String(free)))
  })

  it('can cancel for the first time: what unwinds the thread was loaded before', async () => {
    expectDone(await runFixture('no-descriptors', targets.hang, targets.stall))
  })
})

describe('lanes that cannot be had', () => {
  it('are asked for again, and too often they close the manager', async () => {
    expectDone(await runFixture('lanes-fail', targets.accept))
  })
})
