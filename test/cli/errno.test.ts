import { errnos } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { run } from './run.js'

describe('cancelpoint errno', () => {
  it('prints the whole table', async () => {
    const { code, stdout, stderr } = await run(['errno'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const name of errnos.keys()) expect(stdout).toContain(name)
    expect(stdout).toMatch(/CERT_\*, ERR_SSL_\* .*A code of TLS/)
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

  it.each<[string, RegExp]>([
    ['ERR_INVALID_TARGET', /no target/],
    ['ERR_BLOCKED', /block list/],
    ['ERR_MANAGER_CLOSED', /after the manager’s close/],
    ['ERR_POOL_FAILED', /supervisor +has closed the manager/],
    ['ERR_WORKER_ENDED', /thread/],
    ['ERR_CHECK', /reason/],
    ['ABORT_ERR', /cancelled/],
    ['ESERVFAIL', /resolver/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /certificate is signed by/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /is not TLS/],
  ])('knows what cancelpoint and TLS say: %s', async (which, text) => {
    const { code, stdout } = await run(['errno', which])
    expect(code).toBe(0)
    expect(stdout).toMatch(text)
  })

  it.each([
    ['ECONNREFUSD', 'ECONNREFUSED'],
    ['etimdout', 'ETIMEDOUT'],
    ['ENOTFUOND', 'ENOTFOUND'],
  ])('suggests for %s what was meant', async (which, meant) => {
    const { code, stderr } = await run(['errno', which])
    expect(code).toBe(2)
    expect(stderr).toContain(`did you mean ${meant}?`)
  })

  it('shows what it does not know without obeying it', async () => {
    expect((await run(['errno', '\u001b[31m'])).stderr).toContain('\\u001b[31m is not in the table')
  })

  it.each(['ENONSENSE', '4095', '-38', '0'])('does not know %s, and exits with 2', async (which) => {
    const { code, stdout, stderr } = await run(['errno', which])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(which)
  })
})
