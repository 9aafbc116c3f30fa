/** The files of the page: known beforehand, so that no request reaches the file system. */
import { createHash } from 'node:crypto'
import { type Asked, answer, begin } from './answer.js'

export interface PageFile {
  /** Its Content-Type. */
  readonly type: string
  readonly body: string | Uint8Array
}

interface Ready extends PageFile {
  readonly bytes: Buffer
  readonly etag: string
}

export class Page {
  readonly #files: ReadonlyMap<string, Ready>

  /** By path: '/' is what a person opens. */
  constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = new Map([...files].map(([path, file]) => [path, ready(file)]))
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  answer({ request, response, path }: Asked): void {
    const { type, bytes, etag } = this.#files.get(path)!
    // The browser asks each time whether it has changed.
    const headers = { ETag: etag, 'Cache-Control': 'no-cache' }
    if (isKnown(request.headers['if-none-match'], etag)) {
      begin(response, 304, type, headers)
      response.end()
    } else answer(response, 200, type, bytes, headers)
  }
}

function ready(file: PageFile): Ready {
  const bytes = Buffer.from(file.body as string)
  return { ...file, bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"` }
}

const isKnown = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((each) => each.trim().replace(/^W\//, '') === etag || each.trim() === '*')
