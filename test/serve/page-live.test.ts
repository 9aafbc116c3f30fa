/** The status page of the real server over a real watch. */
import net from 'node:net'
import type { ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pageFiles } from '#internal/serve/page-files'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { chromiumPath, eventually, expectFirst, visible, visit, withBrowser } from './browser.js'
import { serving } from './serving.js'

describe.skipIf(chromiumPath === undefined)('the status page of a real watch, in Chromium', { timeout: 60_000 }, () => {
  withBrowser()
  const stations = useStations()
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(stations.accept, { engine: 'nonblocking' })
  })
  afterAll(() => manager.close())

  it('shows what the watch finds, as it finds it, by groups, under the headers of the server', async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as net.AddressInfo
    const targets = [
      { target: stations.refuse, labels: { env: 'prod' } },
      { target: `127.0.0.1:${port}`, labels: { env: 'prod' } },
      { target: stations.accept, labels: { env: 'staging' } },
      stations.accept,
    ]
    const at = await serving(manager, targets, { watch: { intervalMs: 50 }, page: pageFiles() })
    const page = await visit(at.server)
    await expectFirst(page, stations.refuse, `127.0.0.1:${port}`)
    await eventually(() => visible(page.locator('#counts'))).toMatch(/1\s+down\s+0\s+unknown\s+3\s+up/)
    await eventually(() => visible(page.locator('#checker'))).toMatch(/Working[\s\S]*Lateness\s+\d[\s\S]*Skipped\s+\d/)
    await eventually(() => page.locator('.row .strip').first().getAttribute('aria-label')).toMatch(
      /^Last \d+ results: \d+ down$/,
    )
    server.close()
    await eventually(() => visible(page.locator('#changes'))).toMatch(/up → down. Nothing listens there/)
    await eventually(() => visible(page.locator('.row').nth(1))).toMatch(/down[\s\S]*Start the service/)
    await page.locator('#group').selectOption('env')
    await eventually(() => page.locator('.group-head').allTextContents()).toEqual([
      'prod2 targets: 2 down',
      'without env1 target: 1 up',
      'staging1 target: 1 up',
    ])
    await eventually(() => page.locator('.row .name').count()).toBe(4)
    await page.locator('.row .name').first().click()
    expect(await visible(page.locator('#details'))).toMatch(
      /Code\s+ECONNREFUSED\s+Class\s+refused\s+Ended in\s+connect/,
    )
  })
})
