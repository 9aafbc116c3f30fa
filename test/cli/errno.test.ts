import { errnos } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { run } from './run.js'

describe('cancelpoint errno', () => {
  it('prints the whole table', async () => {
    const { code, stdout, stderr } = await run(['errno'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const name of errnos.keys()) expect(stdout).toContain(name)
  })

  it.each(['ECONNREFUSED', 'econnrefused', '111', '-111'])('explains %s', async (which) => {
    const { code, stdout } = await run(['errno', which])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ECONNREFUSED +111/)
    const text = stdout.replace(/\s+/g, ' ')
    expect(text).toContain(errnos.get('ECONNREFUSED')!.means)
    expect(text).toContain(errnos.get('ECONNREFUSED')!.remedy)
    expect(text).toContain('refused')
  })

  it('tells the meanings of an errno that has several, under any of its names', async () => {
    const { stdout } = await run(['errno', 'EWOULDBLOCK'])
    expect(stdout).toMatch(/^EAGAIN +11/)
    expect(stdout).toMatch(/class +local/)
    expect(stdout).toMatch(/class +busy/)
  })

  it('knows what resolvers say, which has no number', async () => {
    expect((await run(['errno', 'ENOTFOUND'])).stdout).toMatch(/^ENOTFOUND +-/)
  })

  it.each(['ENONSENSE', '4095', '-38', '0'])('does not know %s, and exits with 2', async (which) => {
    const { code, stdout, stderr } = await run(['errno', which])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(which)
  })
})
