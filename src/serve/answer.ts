/** Answers: each has its length and the headers of all. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as limits from '../core/limits.js'
import { sentence } from '../core/text.js'
import { securityHeaders } from './headers.js'

/** A request that has been let in. */
export interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly query: URLSearchParams
  /** Headers are wanted, and no body. */
  readonly isHead: boolean
}

export const textType = 'text/plain; charset=utf-8'
export const jsonType = 'application/json; charset=utf-8'

/** The head of an answer whose body follows. */
export function begin(response: ServerResponse, status: number, type: string, more: Record<string, string> = {}): void {
  response.writeHead(status, { ...securityHeaders, 'Cache-Control': 'no-store', 'Content-Type': type, ...more })
}

export function answer(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
  more: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return
  const bytes = Buffer.from(body as string)
  begin(response, status, type, { 'Content-Length': String(bytes.length), ...more })
  // Node leaves the body out where the request was HEAD.
  response.end(bytes)
}

/** `words`: a clause that says what is wrong and what to do. It has nothing of the request in it that was not made safe. */
export function refuse(
  response: ServerResponse,
  status: number,
  words: string,
  more: Record<string, string> = {},
): void {
  answer(response, status, textType, `${sentence(words)}\n`, more)
}

/** There is no room now. */
export function refuseForNow(response: ServerResponse, words: string): void {
  refuse(response, 503, words, { 'Retry-After': String(limits.serve.retryAfterS) })
}
