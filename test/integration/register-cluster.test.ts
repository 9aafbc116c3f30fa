/**
 * A cluster worker that listens on a handle, under cancelpoint/register. After an --import of any file, even of an empty one,
 * Node 20 runs the worker's script some turns late, and what the primary sent as soon as the worker was online is mostly lost.
 * Node's test-net-listen-handle-in-cluster-1 waits for just that, for ever. So no more is asked of the early message here than
 * that it does no harm.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { engines } from '../support/warm-up.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

function run(imported: string, options?: object) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', imported, fixture('cluster-handle.cjs')],
    {
      cwd: root,
      env: { ...process.env, CANCELPOINT_REGISTER: options && JSON.stringify(options) },
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  return { status, stderr, told: stdout.trimEnd().split('\n') }
}

describe('a cluster worker that listens on a handle', () => {
  it.each(engines)('is connected to by the primary and by itself: %s engine', (engine) => {
    const { status, stderr, told } = run('cancelpoint/register', { engine })
    expect([status, stderr]).toEqual([0, ''])
    expect(told.filter((each) => each !== 'early')).toEqual([
      'late',
      'to the primary: the worker',
      'to itself: the worker',
      'exit 0',
    ])
  })
})
