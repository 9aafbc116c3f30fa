/** What the targets and lookups of callers come to as addresses. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ConnectionManager } from 'cancelpoint'
import { afterAll, describe, expect, it } from 'vitest'
import { lackingIpv6 } from '../support/sockets.mjs'

const manager = new ConnectionManager({ timeoutMs: 5_000 })
afterAll(() => manager.close())

describe('a zone', () => {
  const zones = fileURLToPath(new URL('fixtures/zones.mjs', import.meta.url))
  const { status, stderr: reason } = spawnSync('unshare', ['-Urn', 'true'], { encoding: 'utf8' })
  const refused = lackingIpv6 ?? (status === 0 ? '' : reason || 'no unshare here')
  const skipped = refused && `, skipped: ${refused}`

  it.skipIf(refused)(`by name is an interface that has any IPv6 address${skipped}`, () => {
    const { stdout, stderr } = spawnSync('unshare', ['-Urn', process.execPath, zones], { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({ 'fe80::1': 'fe80::1%lo', '2001:db8::1': '2001:db8::1', '::1': '::1' })
  })

  it('of no interface is the caller’s mistake', async () => {
    const error = await manager.open('[fe80::1%none]:80').catch((error) => error)
    expect(error).toMatchObject({ code: 'EINVAL', errnoClass: 'misuse', address: 'fe80::1', attempts: [] })
    expect(error.message).toContain("no interface named 'none' has an IPv6 address")
  })
})
