/** The status page: texts that would like to be more than texts, what assistive technology sees, and the files themselves. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { pageFiles } from '#internal/serve/page-files'
import {
  chromiumPath,
  eventually,
  expectComplaints,
  expectFirst,
  staged,
  visible,
  visit,
  withBrowser,
} from './browser.js'
import { fleet, upTarget } from './cast.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const image = '<img src=x onerror="window.hacked=1">'
const script = '"><script>window.hacked=1</script>'
const reversed = 'moc.elpmaxe\u202e\u0007\u001b[31m\u200b\n'

function hostile() {
  const labels = { [image]: script, 'o\'quote"': `'+(window.hacked=1)+'`, __proto__x: reversed, env: image }
  const target = upTarget(`${image}:80`, labels)
  const reason = `${script} ${image} ${reversed} ${'A very long reason. '.repeat(500)}`
  return {
    ...target,
    state: 'down' as const,
    last: { ...target.last!, status: 'down' as const, code: image, reason, address: script },
    remedy: `${image} javascript:window.hacked=1 ${reversed}`,
    history: { results: '<script>u', connectMs: [1, null] },
  }
}

describe.skipIf(chromiumPath === undefined)(
  'the status page in Chromium, where others have a say',
  { timeout: 60_000 },
  () => {
    withBrowser()

    it('shows hostile texts as texts, and what cannot be seen as what it is', async () => {
      const stage = await staged([hostile(), ...fleet()])
      stage.summary = { frozen: true, frozenWhy: `${image}${reversed}` }
      const page = await visit(stage)
      await expectFirst(page, `${image}:80`)
      stage.change('db-2.internal:5432', 'up')
      stage.change(`${image}:80`, 'unknown', { reason: `${image}${reversed}`, code: script })
      await page.locator('#group').selectOption('env')
      await eventually(() => page.locator('.group-head').allInnerTexts()).toEqual(
        expect.arrayContaining([expect.stringContaining(image)]),
      )
      await page.locator('.row .name').first().click()
      await page.locator('#changes button').first().click({ force: true })
      const shown = await page.evaluate<string>('document.body.innerText')
      for (const each of [image, '\\u202e', '\\u0007', '\\u001b[31m', '\\u200b', '\\u000a'])
        expect(shown).toContain(each)
      const text = await page.evaluate<string>('document.body.textContent')
      for (const each of '\u202e\u0007\u001b\u200b') expect(text).not.toContain(each)
      expect(await page.locator('img').count()).toBe(0)
      expect(await page.locator('body script').count()).toBe(0)
      expect(await page.locator('[style*="<"], a[href^="javascript"]').count()).toBe(0)
      for (const button of await page.locator('#details .own-labels button').all())
        expect(await visible(button)).not.toBe('')
      expect(await page.evaluate('window.hacked')).toBe(undefined)
    })

    it('shows all of a long reason in the details, and keeps the row a row', async () => {
      const page = await visit(await staged([hostile()]))
      await expectFirst(page, `${image}:80`)
      expect((await page.locator('.row').first().boundingBox())!.height).toBeLessThan(60)
      await page.locator('.row').first().click()
      expect((await visible(page.locator('#details .reason'))).length).toBeGreaterThan(10_000)
      expect((await page.locator('#details .reason').boundingBox())!.height).toBeLessThan(250)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1440)
    })

    it('takes an address for no more than a view', async () => {
      const view = new URLSearchParams({
        text: image,
        state: 'up,sideways,__proto__',
        label: `__proto__=${script}`,
        group: image,
      })
      const page = await visit(await staged(fleet()), `#${view}`)
      await eventually(() => visible(page.locator('#empty'))).toContain('No target matches.')
      expect(await page.locator('#text').inputValue()).toBe(image)
      expect(await visible(page.locator('#chips'))).toContain(`__proto__=${script}`)
      expect(await page.evaluate('window.hacked')).toBe(undefined)
    })

    it('has a policy that is in force', async () => {
      expectComplaints(/violates the following Content Security Policy|127\.0\.0\.2/)
      const page = await visit(await staged(fleet()))
      await expectFirst(page, 'db-2.internal:5432')
      const blocked = `new Promise((resolve) => {
      addEventListener('securitypolicyviolation', (event) => { event.preventDefault(); resolve(event.effectiveDirective) })
      setTimeout(() => resolve('nothing was blocked'), 5_000)
      new Image().src = 'http://127.0.0.2:1/'
    })`
      // The page itself violates nothing; this shows that violations would be seen.
      const [directive] = await Promise.all([page.evaluate(blocked), page.waitForEvent('console')])
      expect(directive).toBe('img-src')
      await page.close()
    })

    const states: [string, 'light' | 'dark', string, (page: Page) => Promise<unknown>][] = [
      ['the list', 'light', '', async () => {}],
      ['the list in the dark', 'dark', '', async () => {}],
      ['groups', 'light', '#group=env', async () => {}],
      ['details in the dark', 'dark', '', async (page) => page.locator('.row').nth(1).click()],
    ]
    it.each(states)('is accessible: %s', async (_, colorScheme, fragment, prepare) => {
      const stage = await staged(fleet())
      stage.summary = { frozen: true, frozenWhy: 'the process was stopped' }
      const page = await visit(stage, fragment, { colorScheme })
      await eventually(() => page.locator('.row .name').count()).toBeGreaterThan(5)
      stage.change('redis-1.internal:5001', 'down', { reason: 'Nothing listens there.' })
      await eventually(() => page.locator('#changes button').count()).toBe(1)
      await prepare(page)
      // By the debugger, which the page's policy does not hold up.
      await page.evaluate(axe)
      const found = await page.evaluate<string[]>(
        `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary).join(' | ')))`,
      )
      expect(found).toEqual([])
    })

    it('has roles and names for all that it shows', async () => {
      const page = await visit(await staged(fleet()))
      await expectFirst(page, 'db-2.internal:5432')
      const seen = await page.locator('body').ariaSnapshot()
      for (const each of [
        '- banner:',
        '- main:',
        '- complementary:',
        '- search "Filter the targets":',
        '- searchbox "Filter by target, label or code"',
        '- button "2 down"',
        '- grid "Targets":',
        '- gridcell "down"',
        '- gridcell "db-2.internal:5432 env=prod job=postgres"',
        'Last 60 results: 18 up, 42 down. The last 42 were down',
        '- heading "Recent changes" [level=2]',
      ])
        expect(seen).toContain(each)
      await page.locator('.row').nth(1).click()
      expect(await page.locator('#details').ariaSnapshot()).toMatch(
        /region "shop.example:443"[\s\S]*button "Close the details"[\s\S]*Certificate: 5 days left/,
      )
    })
  },
)

describe('the files of the page', () => {
  it('are all that the page asks for, and come with their types', async () => {
    const files = pageFiles()
    const types = {
      html: 'text/html; charset=utf-8',
      css: 'text/css; charset=utf-8',
      js: 'text/javascript; charset=utf-8',
      svg: 'image/svg+xml',
    }
    for (const [path, { type, body }] of files) {
      expect(type).toBe(types[(path === '/' ? 'html' : path.split('.').at(-1)) as keyof typeof types])
      const text = Buffer.from(body).toString()
      const wanted = [...text.matchAll(/(?:from|src=|href=|url\()\s*["'](?!#)([^"']+)["']/g)].map(([, url]) => url!)
      for (const url of wanted.filter((each) => !each.startsWith('api/'))) {
        // A proxy may have it below a path of its own.
        expect(url).not.toMatch(/^\//)
        expect([...files.keys()], `${path} asks for ${url}`).toContain(new URL(url, `http://x${path}`).pathname)
      }
    }
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['/', '/serve/page/page.js', '/serve/page/page.css', '/core/text.js']),
    )
  })

  it('have no script, style or handler inside the document, and make no HTML', async () => {
    for (const [path, { body }] of pageFiles()) {
      const text = Buffer.from(body).toString()
      if (path === '/') expect(text).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:/)
      else expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/)
    }
  })

  it('are in the package', () => {
    const { files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(files).toContain('src/serve/page')
  })
})
