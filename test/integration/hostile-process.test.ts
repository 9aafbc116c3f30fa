/** What a process may do to the language and to Node's own modules, and what connects make of it: they settle all the same. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { runFixture } from '../support/child.js'
import { useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'

vi.setConfig({ testTimeout: 90_000 })

const targets = useStations()

describe.each(engines)('%s engine:', (engine) => {
  beforeAll(() => {
    process.env.CANCELPOINT_ENGINE = engine
  })

  it.each([
    ['after', 'sinon', 'refused 202, timed out 1'],
    ['after', 'node', 'refused 202, timed out 1'],
    ['before', 'sinon', 'settled'],
    ['before', 'node', 'settled'],
  ])('timers faked %s the library is loaded, by %s, hold up nothing for ever', async (when, how, expected) => {
    const ended = await runFixture('faked-timers', targets.refuse, targets.hang, when, how)
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: `${expected}\n` })
  })
})
