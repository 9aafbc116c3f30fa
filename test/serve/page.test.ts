/** The status page in a real Chromium: what it shows, and what a person can do with it. */
import { describe, expect, it } from 'vitest'
import {
  chromiumPath,
  eventually,
  expectComplaints,
  expectFirst,
  focused,
  names,
  scrolledWidth,
  staged,
  visible,
  visit,
  withBrowser,
} from './browser.js'
import { crowd, fleet, upTarget } from './cast.js'

/** What has the focus, and how that is shown; nothing where it is beyond the page. */
const focus = `(() => {
  const { activeElement: element, body } = document
  return element === body ? ['', ''] : [element.id || element.textContent, getComputedStyle(element).outlineStyle]
})()`

const refused = {
  code: 'ECONNREFUSED',
  errnoClass: 'refused',
  phase: 'connect',
  reason: 'Nothing listens there.',
} as const

describe.skipIf(chromiumPath === undefined)('the status page in Chromium', { timeout: 60_000 }, () => {
  withBrowser()

  it('shows the targets, what is not up first, with the reason and what to do', async () => {
    const page = await visit(await staged(fleet()))
    await expectFirst(page, 'db-2.internal:5432', 'shop.example:443', 'mail.internal:25', 'www.example:443')
    const row = page.locator('.row').first()
    expect(await visible(row)).toMatch(
      /down\s+db-2.internal:5432\s+env=prod {2}job=postgres\s+Nothing listens there\.\s+Start the service or check the port\./,
    )
    expect(await row.locator('.strip').getAttribute('aria-label')).toBe(
      'Last 60 results: 18 up, 42 down. The last 42 were down',
    )
    expect(await visible(page.locator('.row').nth(3))).toContain('Certificate: 21 days left')
    expect(await visible(page.locator('#counts'))).toMatch(/2\s+down\s+1\s+unknown\s+37\s+up/)
    expect(await visible(page.locator('#checker'))).toMatch(
      /Checker\s+Working[\s\S]*Lateness\s+1.84 ms\s+At most 6.20 ms[\s\S]*Skipped\s+0/,
    )
    expect(await page.title()).toBe('2 down · cancelpoint')
    expect(await visible(page.locator('#connection'))).toBe('Live')
  })

  it('tells a change at once, in the list, among the changes and to those who listen', async () => {
    const stage = await staged(fleet())
    const page = await visit(stage)
    await expectFirst(page, 'db-2.internal:5432')
    stage.change('redis-1.internal:5001', 'down', refused, 'Start the service or check the port.')
    await expectFirst(page, 'db-2.internal:5432', 'shop.example:443', 'redis-1.internal:5001')
    expect(await visible(page.locator('#changes'))).toMatch(
      /redis-1.internal:5001[\s\S]*up → down. Nothing listens there./,
    )
    await eventually(() => visible(page.locator('#said'))).toBe('redis-1.internal:5001 is down. Nothing listens there.')
    await page.locator('#changes button').click()
    expect(await visible(page.locator('#details h2'))).toBe('redis-1.internal:5001')
  })

  it('tells of many changes in few words', async () => {
    const stage = await staged(crowd(3_000))
    const page = await visit(stage)
    await expectFirst(page, '10.0.0.0:443')
    for (let i = 1; i <= 2_000; i += 1) stage.change(`10.0.${i >> 8}.${i & 255}:443`, 'unknown')
    await eventually(() => page.locator('#said').textContent()).toMatch(/^[\d,]+ changes, \d+ down now\.$/)
    expect(await page.locator('#changes > li').count()).toBe(50)
    expect(await page.locator('#changes .name').first().textContent()).toBe('10.0.7.208:443')
  })

  it('filters by text, state and label, and keeps that in the address', async () => {
    const page = await visit(await staged(fleet()))
    await expectFirst(page, 'db-2.internal:5432')
    await page.locator('#text').fill('POSTGRES')
    await expectFirst(page, 'db-2.internal:5432', 'postgres-1.internal:5000')
    await page.locator('#counts button').filter({ hasText: 'up' }).click()
    await expectFirst(page, 'postgres-1.internal:5000')
    await page.locator('.row').first().click()
    await page.locator('#details button').filter({ hasText: 'env=staging' }).click()
    await eventually(() => visible(page.locator('#found'))).toBe('3 of 40 targets')
    expect(new URL(page.url()).hash).toBe('#text=POSTGRES&state=up&label=env%3Dstaging')
    await page.reload()
    await eventually(() => visible(page.locator('#found'))).toBe('3 of 40 targets')
    expect(await page.locator('#text').inputValue()).toBe('POSTGRES')
    await page.locator('#chips button').click()
    await page.locator('#text').press('Escape')
    await eventually(() => visible(page.locator('#found'))).toBe('40 targets')
    expect(new URL(page.url()).hash).toBe('')
    await page.locator('#text').fill('there is no such thing')
    await eventually(() => visible(page.locator('#empty'))).toContain('No target matches.')
  })

  it('groups by a label, those with the most trouble first, and folds groups', async () => {
    const page = await visit(await staged([...fleet(), upTarget('bare:1', {})]))
    await expectFirst(page, 'db-2.internal:5432')
    await page.locator('#group').selectOption('env')
    const heads = page.locator('.group-head')
    await eventually(() => visible(heads.first())).toMatch(/prod\s*26 targets: 2 down, 1 unknown, 23 up/)
    await expectFirst(page, 'db-2.internal:5432', 'shop.example:443')
    await heads.first().click()
    await eventually(() => page.locator('.row[aria-expanded="false"]').count()).toBe(1)
    expect(await page.locator('#list').getAttribute('role')).toBe('treegrid')
    await page.locator('#list').press('End')
    await eventually(() => visible(page.locator('.row.active .name'))).toMatch(/internal|bare|app/)
    expect(new URL(page.url()).hash).toBe('#group=env')
    await page.locator('#fold').click()
    await eventually(() => page.locator('.row').count()).toBe(3)
    await page.locator('#fold').click()
    await expectFirst(page, 'db-2.internal:5432')
    expect(await heads.allInnerTexts()).toEqual(expect.arrayContaining([expect.stringMatching(/staging/)]))
  })

  it('is worked by the keyboard alone', async () => {
    const page = await visit(await staged(fleet()))
    await expectFirst(page, 'db-2.internal:5432')
    await page.keyboard.press('/')
    expect(await focused(page)).toBe('text')
    await page.keyboard.type('internal')
    await page.keyboard.press('Enter')
    expect(await focused(page)).toBe('list')
    await eventually(() => visible(page.locator('#found'))).toMatch(/ of 40/)
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    const active = page.locator('.row.active')
    await eventually(() => active.getAttribute('aria-rowindex')).toBe('2')
    expect(await page.locator('#list').getAttribute('aria-activedescendant')).toBe(await active.getAttribute('id'))
    const name = await visible(active.locator('.name'))
    await page.keyboard.press('Enter')
    expect(await focused(page)).toBe('details-title')
    expect(await visible(page.locator('#details h2'))).toBe(name)
    await page.keyboard.press('Escape')
    expect(await page.locator('#details').isVisible()).toBe(false)
    expect(await focused(page)).toBe('list')
    await page.keyboard.press('End')
    await eventually(() => active.isVisible()).toBe(true)
    await page.keyboard.press('Home')
    await eventually(() => active.getAttribute('aria-rowindex')).toBe('1')
  })

  it('shows the focus wherever it is', async () => {
    const page = await visit(await staged(fleet()))
    await expectFirst(page, 'db-2.internal:5432')
    const seen = new Set<string>()
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab')
      const [what, outline] = await page.evaluate<[string, string]>(focus)
      seen.add(what.trim())
      if (what !== '') expect(outline, what).not.toBe('none')
    }
    for (const each of ['Go to the targets', 'theme', 'text', 'group', 'list', '2down', '1unknown', '37up'])
      expect([...seen]).toContain(each)
  })

  it('says when it is not connected, and goes on by itself after the server came back', async () => {
    expectComplaints(/Failed to load resource/)
    const stage = await staged(fleet())
    const page = await visit(stage)
    await expectFirst(page, 'db-2.internal:5432')
    await stage.stop()
    await eventually(() => visible(page.locator('#connection'))).toMatch(
      /^Not connected since \d\d:\d\d:\d\d\. What is shown is from then\./,
    )
    expect(await page.locator('body').getAttribute('class')).toContain('stale')
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).filter')).toBe('grayscale(1)')
    stage.targets = [upTarget('new.internal:1', {})]
    await stage.start()
    await expectFirst(page, 'new.internal:1')
    await eventually(() => visible(page.locator('#connection'))).toBe('Live')
    expect(await page.locator('body').getAttribute('class')).not.toContain('stale')
  })

  it('takes a server that is silent for one that is gone', async () => {
    const stage = await staged(fleet())
    stage.summaryEveryMs = 100_000
    await stage.stop()
    await stage.start()
    const page = await visit(stage)
    await expectFirst(page, 'db-2.internal:5432')
    await eventually(() => visible(page.locator('#connection'))).toMatch(/^Not connected since/)
  })

  it('says where the list is older than the rest', async () => {
    expectComplaints(/503/)
    const stage = await staged(fleet())
    const page = await visit(stage)
    await expectFirst(page, 'db-2.internal:5432')
    stage.refuses = true
    await eventually(() => visible(page.locator('#connection'))).toMatch(
      /^Live, but the list is from \d\d:\d\d:\d\d\.$/,
    )
    stage.refuses = false
    await eventually(() => visible(page.locator('#connection'))).toBe('Live')
  })

  it('says of details that their target has left the list', async () => {
    const stage = await staged(fleet())
    const page = await visit(stage)
    await expectFirst(page, 'db-2.internal:5432')
    await page.locator('.row').first().click()
    expect(await visible(page.locator('#details'))).not.toContain('not on the list')
    stage.targets = stage.targets.slice(1)
    await eventually(() => visible(page.locator('#details'))).toContain('It is not on the list any more.')
  })

  it('says that states are frozen, and why', async () => {
    const stage = await staged(fleet())
    stage.summary = {
      frozen: true,
      frozenWhy: 'checks start more than a second late',
      latenessMs: { p50: 900, p99: 2_140, max: 4_350 },
    }
    const page = await visit(stage)
    await eventually(() => visible(page.locator('#frozen'))).toMatch(
      /^Frozen: no state changes now. Checks start more than a second late\./,
    )
    expect(await visible(page.locator('#checker'))).toMatch(/Frozen[\s\S]*2.1 s\s+Late. At most 4.3 s/)
    expect(await page.title()).toBe('Frozen · 2 down · cancelpoint')
    expect(await visible(page.locator('#connection'))).toBe('Live. States are frozen.')
    stage.summary = {}
    await eventually(() => page.locator('#frozen').isVisible()).toBe(false)
  })

  it('keeps the document small with 50,000 targets, and asks for what is looked at', async () => {
    const stage = await staged(crowd(50_000))
    const page = await visit(stage)
    await eventually(() => visible(page.locator('#found'))).toBe('50,000 targets')
    expect(await page.locator('#list').getAttribute('aria-rowcount')).toBe('50000')
    const elements = () => page.evaluate<number>('document.querySelectorAll("*").length')
    await expectFirst(page, '10.0.0.0:443', '10.0.0.100:443')
    expect(await elements()).toBeLessThan(1_500)
    for (const part of [0.1, 0.5, 0.9]) {
      await page.evaluate(`scrollTo(0, document.documentElement.scrollHeight * ${part})`)
      await eventually(async () => (await names(page)).every((name) => name.startsWith('10.'))).toBe(true)
    }
    await page.locator('#list').press('End')
    await eventually(async () => (await names(page)).at(-1)).toBe('10.0.195.79:443')
    expect(await elements()).toBeLessThan(1_500)
    expect(Math.max(...stage.asked.map((query) => Number(query.get('limit'))))).toBeLessThanOrEqual(100)
    await page.locator('#group').selectOption('rack')
    await eventually(() => visible(page.locator('.group-head').first())).toMatch(
      /r00\s*1,250 targets: 250 down, 1,000 up/,
    )
    expect(await elements()).toBeLessThan(1_500)
  })

  it('is light or dark as the system is, until somebody chooses', async () => {
    const page = await visit(await staged(fleet()), '', { colorScheme: 'light' })
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.locator('#theme').selectOption('light')
    expect(await ground()).toBe(light)
    await page.reload()
    expect(await ground()).toBe(light)
    await page.locator('#theme').selectOption('auto')
    expect(await ground()).toBe(dark)
  })

  it('fits a phone of 360 px', async () => {
    const targets = [
      ...fleet(),
      upTarget(`${'very-long-name.'.repeat(12)}internal:443`, { description: 'word '.repeat(60) }),
    ]
    const page = await visit(await staged(targets), '', { viewport: { width: 360, height: 740 } })
    await expectFirst(page, 'db-2.internal:5432')
    expect(await scrolledWidth(page)).toBe(360)
    await page.locator('#text').fill('very-long')
    await eventually(() => visible(page.locator('#found'))).toBe('1 of 41 targets')
    expect(await scrolledWidth(page)).toBe(360)
    await page.locator('.row').first().click()
    expect(await page.locator('#details').boundingBox()).toMatchObject({ x: 0, y: 0, width: 360, height: 740 })
    expect(await scrolledWidth(page)).toBe(360)
    // What is covered is out of reach.
    expect(await page.locator('main').getAttribute('inert')).toBe('')
    await page.keyboard.press('Escape')
    expect(await page.locator('main').getAttribute('inert')).toBe(null)
  })

  it('moves nothing where little motion is wanted', async () => {
    const page = await visit(await staged(fleet()), '', { reducedMotion: 'reduce' })
    await expectFirst(page, 'db-2.internal:5432')
    const moving = `[...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).transitionDuration !== '0s' || getComputedStyle(each).animationName !== 'none').length`
    expect(await page.evaluate(moving)).toBe(0)
  })
})
