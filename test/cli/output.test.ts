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

describe('standard error that nobody reads', () => {
  // The pipe's reader has left by the time there is something to say.
  it.each(['/dev/full', '>(true)'])('is no reason for a check to end: %s', (stderr) => {
    for (const input of ['bad 127.0.0.1:1', "- <<< $'bad\\n127.0.0.1:1'", '--json bad 127.0.0.1:1']) {
      const script = `"$0" "$1" check ${input} 2> ${stderr}`
      const { status, stdout } = spawnSync('bash', ['-c', script, process.execPath, bin])
      expect([input, status]).toEqual([input, 2])
      expect(stdout.toString()).toContain('ECONNREFUSED')
    }
  })
})
