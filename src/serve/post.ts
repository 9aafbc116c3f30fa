/** One POST, from its connect to the end of its connection. It is over once nothing of it is left. */
import http from 'node:http'
import https from 'node:https'
import { clearTimeout, epochMs, setTimeout } from '../core/clock.js'
import { type Outcome, retryAfterMs } from '../core/delivery.js'
import { classOf, type ErrnoClass } from '../core/errno.js'
import * as limits from '../core/limits.js'
import { printable } from '../core/text.js'
import { ConnectError } from '../errors/connect-error.js'

export interface Post {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Makes the connection. Without one it is Node's own, made for this request. */
  readonly agent: http.Agent | undefined
  /** Until the status has come. */
  readonly timeoutMs: number
  /** What is given to the answer's body. Milliseconds. */
  readonly drainMs: number
  /** Ends it at once. */
  readonly signal: AbortSignal
}

/** Never rejects. */
export function post({ url, headers, body, agent, timeoutMs, drainMs, signal }: Post): Promise<Outcome> {
  return new Promise((resolve) => {
    let outcome: Outcome | undefined
    let request: http.ClientRequest | undefined
    const end = (as: Outcome) => {
      outcome ??= as
      request?.destroy()
    }
    const cancel = () => end(failed('ABORT_ERR', 'unknown', 'it was closed'))
    const expire = () => end(failed('ETIMEDOUT', 'timed-out', `there was no answer within ${timeoutMs} ms`))
    let timer = setTimeout(expire, timeoutMs)
    const over = (as: Outcome) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
      resolve(outcome ?? as)
    }
    try {
      const { request: make } = url.protocol === 'https:' ? https : http
      request = make(url, { method: 'POST', agent: agent ?? false, headers })
    } catch (error) {
      return over(failureOf(error as Error))
    }
    signal.addEventListener('abort', cancel)
    request.on('error', (error) => {
      outcome ??= failureOf(error)
    })
    request.on('response', (response) => {
      const { statusCode = 0, headers } = response
      outcome ??= { status: statusCode, retryAfterMs: retryAfterMs(headers['retry-after'], epochMs()) }
      clearTimeout(timer)
      timer = setTimeout(() => response.destroy(), drainMs)
      drain(response)
    })
    request.on('close', () => over(failed('ECONNRESET', 'refused', 'the connection ended without an answer')))
    request.end(body)
    if (signal.aborted) cancel()
  })
}

/** The status is all that counts. */
function drain(response: http.IncomingMessage): void {
  let bytes = 0
  response.on('error', () => {})
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > limits.webhook.drainBytes) response.destroy()
  })
}

const failed = (code: string, errnoClass: ErrnoClass, why: string): Outcome => ({ code, errnoClass, why })

function failureOf(error: NodeJS.ErrnoException): Outcome {
  const { code = 'ERR_UNKNOWN', message } = error
  if (error instanceof ConnectError) return failed(code, error.errnoClass, message)
  const errnoClass = code.startsWith('HPE_') ? 'protocol' : classOf(code, { family: 'inet' })
  return failed(code, errnoClass, `${code}: ${printable(message.split('\n', 1)[0]!)}`)
}
