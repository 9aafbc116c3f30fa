/** What is refused before anything is done for it. A refusal is a status and a clause. */
import type { IncomingMessage } from 'node:http'
import { isKnownHost, type Known } from '../core/host-header.js'
import * as limits from '../core/limits.js'

export interface Refusal {
  readonly status: number
  readonly words: string
  readonly headers?: Record<string, string>
}

/** `isOpen`: a page of another site may lead here: it is a file of the page, or says nothing about targets. */
export function refusalOf(request: IncomingMessage, known: Known, isOpen: boolean): Refusal | undefined {
  const { method, url = '', headers, rawHeaders } = request
  const close = { Connection: 'close' }
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, words: 'only GET and HEAD are answered', headers: { Allow: 'GET, HEAD', ...close } }
  if (url.length > limits.serve.urlLengthAtMost)
    return { status: 414, words: `the address is longer than ${limits.serve.urlLengthAtMost} characters` }
  if (!url.startsWith('/')) return { status: 400, words: 'the address must begin with /: this server is no proxy' }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0)
    return { status: 413, words: 'a request has no body here: leave it out', headers: close }
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  if (hosts.length !== 1 || headers.host === undefined)
    return { status: 400, words: 'expected one Host header', headers: close }
  if (!isKnownHost(headers.host, known))
    return {
      status: 421,
      words: 'the Host header names another server: use the address that this one listens on',
      headers: close,
    }
  if (!isOpen && isFromElsewhere(headers['sec-fetch-site']))
    return { status: 403, words: 'a page of another origin asked for this: open it directly' }
  return undefined
}

/** Browsers alone send it. Sites of one domain, and ports of one machine, are as foreign as any other. */
const isFromElsewhere = (site: string | string[] | undefined): boolean =>
  site !== undefined && site !== 'same-origin' && site !== 'none'
