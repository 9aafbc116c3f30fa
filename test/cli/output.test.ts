import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { bin } from './run.js'

describe('a reader that leaves', () => {
  it.each(['--help', '--version', 'check --help', 'errno', 'errno ECONNREFUSED'])('is no failure of %s', (what) => {
    // The command comes to write once `true` has ended.
    const script = `{ sleep 0.1; "$0" "$1" ${what}; echo "exited with $?" >&2; } | true`
    const { stderr } = spawnSync('sh', ['-c', script, process.execPath, bin])
    expect(stderr.toString()).toBe('exited with 0\n')
  })
})
