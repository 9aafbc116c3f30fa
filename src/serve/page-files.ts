/** The files of the status page, from the package: in memory, so that no request reaches the file system. */
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'

export interface PageFile {
  /** Its Content-Type. */
  readonly type: string
  readonly body: Uint8Array
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The page is not compiled: it is served from the sources, which are in the package. */
const pageFolder = new URL('../../../src/serve/page/', import.meta.url)
/** What the page shares with everything else that shows text from outside. */
const text = new URL('../core/text.js', import.meta.url)

/** By path. '/' is what a person opens; the others stand as they do under `src`, so that the page works below any prefix. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const names = (await readdir(pageFolder)).filter((name) => extname(name) in types)
  const files = names.map((name) => [pathOf(name), new URL(name, pageFolder)] as const)
  const read = [...files, ['/core/text.js', text] as const].map(
    async ([path, file]) => [path, { type: types[extname(file.pathname)]!, body: await readFile(file) }] as const,
  )
  return new Map(await Promise.all(read))
}

const pathOf = (name: string): string => (name === 'index.html' ? '/' : `/serve/page/${name}`)
