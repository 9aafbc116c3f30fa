/** A real Chromium on the page of a stage. What it has to complain about fails the test. */
import { accessSync, constants } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type Shown, Stage } from './stage.js'

/** Undefined where there is none: Debian's package is called chromium. */
export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  },
)

let browser: Browser
const stages = new Set<Stage>()
const pages = new Set<Page>()
let complaints: string[] = []

/** What a test brings about itself, and the browser complains of. */
let expected = /^$/
export const expectComplaints = (pattern: RegExp) => {
  expected = pattern
}

/** For a file of tests: one browser, which reaches nothing beyond loopback. */
export function withBrowser(): void {
  beforeAll(async () => {
    // No sandbox inside a container, where root runs it; it sees pages of our own alone.
    const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
    browser = await chromium.launch({ executablePath: chromiumPath!, args })
  })
  afterEach(async () => {
    for (const page of pages) await page.context().close()
    pages.clear()
    for (const stage of stages) await stage.stop()
    stages.clear()
    const all = complaints.filter((words) => !expected.test(words))
    complaints = []
    expected = /^$/
    expect(all).toEqual([])
  })
  afterAll(async () => browser?.close())
}

export async function staged(targets: Shown[]): Promise<Stage> {
  const stage = new Stage(targets)
  await stage.start()
  stages.add(stage)
  return stage
}

export async function visit(
  stage: { readonly url: string },
  fragment = '',
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  pages.add(page)
  // Violations of the content security policy come as console errors.
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(stage.url)) complaints.push(`request: ${request.url()}`)
  })
  await page.goto(stage.url + fragment)
  return page
}

/** The text of it that can be seen. */
// biome-ignore lint/performance/useDomNodeTextContent: what is hidden is not meant
export const visible = (part: Locator): Promise<string> => part.innerText()

/** The texts of the targets' rows, in their order. */
export const names = (page: Page): Promise<string[]> => page.locator('.row .name').allTextContents()

/** A browser on a machine that is busy takes its time. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 })

/** Until the first rows are these. */
export async function expectFirst(page: Page, ...wanted: string[]): Promise<void> {
  await eventually(async () => (await names(page)).slice(0, wanted.length)).toEqual(wanted)
}

export const focused = (page: Page): Promise<string> => page.evaluate('document.activeElement.id')

export const scrolledWidth = (page: Page): Promise<number> => page.evaluate('document.documentElement.scrollWidth')
