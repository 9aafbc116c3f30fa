import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { run, start } from './run.js'

describe('cancelpoint lab', () => {
  it('prints targets that check reads, keeps them up, and ends with Ctrl-C', async () => {
    const lab = start(['lab', '--targets', '12'])
    await lab.until(/(.*\n){12}/)
    const text = lab.stdout()
    expect(text).toMatch(/^127\.\S+:\d+ # accept$/m)
    expect(text).toMatch(/^unix:@\S+ # stall$/m)
    // A program that reads the pipe sees its end while the lab goes on.
    await once(lab.child.stdout!, 'end')
    const { code, stdout } = await run(['check', '--json', '--timeout', '300ms'], text)
    expect(code).toBe(1)
    expect(stdout.trimEnd().split('\n')).toHaveLength(12)
    lab.child.kill('SIGINT')
    const ended = await lab.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/12 targets are up/)
  })

  it('refuses a fleet without targets', async () => {
    const { code, stderr } = await run(['lab', '--targets', '0'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--targets.*from 1 to/)
  })
})
