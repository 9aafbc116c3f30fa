/** What a process may do to the language and to Node's own modules, and what connects make of it: they settle all the same. */
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
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

  const all = { ECONNREFUSED: 73, ETIMEDOUT: 2, ABORT_ERR: 73, ERR_INVALID_TARGET: 1, ERR_MANAGER_CLOSED: 1 }

  describe.each(['before', 'after'])('changed %s the library is loaded,', (when) => {
    it.each([
      'nothing',
      'Error frozen',
      'Error.prototype frozen',
      'Promise frozen',
      'Array, Object, Map frozen',
      'EventTarget frozen',
      'stackTraceLimit fixed',
      'stackTraceLimit with a setter that throws',
      'stackTraceLimit gone',
      'prepareStackTrace that throws',
      'captureStackTrace that throws',
    ])('%s', async (how) => {
      const ended = await runFixture('frozen', targets.refuse, targets.hang, when, how)
      expect({ ...ended, stdout: JSON.parse(ended.stdout || '0') }).toMatchObject({
        code: 0,
        signal: null,
        stdout: all,
      })
    })
  })

  it.each(['--frozen-intrinsics', '--disable-proto=throw', '--disable-proto=delete', '--stack-trace-limit=0'])(
    'under %s',
    async (flag) => {
      process.env.NODE_OPTIONS = flag
      onTestFinished(() => {
        delete process.env.NODE_OPTIONS
      })
      const ended = await runFixture('frozen', targets.refuse, targets.hang, 'after', 'nothing')
      expect({ ...ended, stdout: JSON.parse(ended.stdout || '0') }).toMatchObject({
        code: 0,
        signal: null,
        stdout: all,
      })
    },
  )
})

describe('two copies of the modules over one addon', () => {
  it('settle each its own calls, and close', async () => {
    const ended = await runFixture('two-copies', targets.accept, targets.hang)
    const nothing = '{"descriptors":0,"buffers":0,"lanes":0,"attempts":0}'
    const lines = engines
      .toReversed()
      .flatMap((engine) => [`${engine} ETIMEDOUT ETIMEDOUT`, `${engine} ABORT_ERR ABORT_ERR ${nothing}`])
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: `${lines.join('\n')}\n` })
  })
})
