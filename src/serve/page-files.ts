/** The status page, as it lies in the package. */
import { readdirSync, readFileSync } from 'node:fs'
import type { PageFile } from './page.js'

const folder = new URL('../../../src/serve/page/', import.meta.url)

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** By path; `/` is the document. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const names = readdirSync(folder).filter((name) => types[name.split('.').at(-1)!] !== undefined)
  return new Map(
    names.map((name) => {
      const path = name === 'index.html' ? '/' : `/${name}`
      return [path, { type: types[name.split('.').at(-1)!]!, body: readFileSync(new URL(name, folder)) }]
    }),
  )
}
