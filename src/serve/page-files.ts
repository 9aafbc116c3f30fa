/** The status page, as it lies in the package: it is not compiled. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { PageFile } from './page.js'

const folder = new URL('../../../src/serve/page/', import.meta.url)
/** What the page shares with everything else that shows text from outside. */
const text = new URL('../core/text.js', import.meta.url)

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** By path. `/` is the document; the others stand as they do under `src`, so that the page works below any prefix. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const names = readdirSync(folder).filter((name) => extname(name) in types)
  const places = names.map((name): [string, URL] => [pathOf(name), new URL(name, folder)])
  return new Map(
    [...places, ['/core/text.js', text] as const].map(([path, file]) => [
      path,
      { type: types[extname(file.pathname)]!, body: readFileSync(file) },
    ]),
  )
}

const pathOf = (name: string): string => (name === 'index.html' ? '/' : `/serve/page/${name}`)
