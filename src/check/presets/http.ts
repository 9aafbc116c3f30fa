/** HTTP/1.1, RFC 9112: one GET of `/`, of whose answer the status line is looked at. */
import { bracketed } from '../../core/endpoint.js'
import type { ParsedTarget } from '../../core/target.js'
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { answered, firstLine } from './lines.js'
import { expect, send } from './preset.js'
import { type StatusRange, wellStatuses } from './statuses.js'

const status =
  (wanted: readonly StatusRange[]): Judge =>
  (bytes) => {
    for (let at = 0; ; ) {
      const found = firstLine(bytes, at)
      if (!found) return at === 0 ? notHttp(bytes) : undefined
      const { line, end } = found
      const [, code] = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(line) ?? []
      if (code === undefined)
        return notHttp(bytes.subarray(at)) ?? { refused: `has a broken status line: it ${answered(line).refused}` }
      if (code.startsWith('1') && code !== '101') {
        // An interim answer: the one that is waited for follows its fields.
        const blank = /\r?\n\r?\n/.exec(bytes.toString('latin1', at))
        if (!blank) return undefined
        at += blank.index + blank[0].length
        continue
      }
      const isWanted = wanted.some(([from, to]) => Number(code) >= from && Number(code) <= to)
      return isWanted ? { end } : answered(line)
    }
  }

/** As soon as it shows: what answers may send no line at all. */
function notHttp(bytes: Buffer): { refused: string } | undefined {
  const start = bytes.toString('latin1', 0, 5)
  if ('HTTP/'.startsWith(start)) return undefined
  return { refused: `does not speak HTTP: it ${answered(bytes.toString('latin1')).refused}` }
}

function request(target: ParsedTarget): string {
  const fields = [`Host: ${hostField(target)}`, 'User-Agent: cancelpoint', 'Accept: */*', 'Connection: close']
  return `GET / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`
}

/** RFC 9110, section 7.2. There is no way to tell http's default port from https's here, so it is always given but for 80 and 443. */
function hostField(target: ParsedTarget): string {
  if (target.kind === 'name') return withPort(target.hostname, target.port)
  const { endpoint, hostname } = target
  if (endpoint.family === 'unix') return 'localhost'
  const host = hostname ?? (endpoint.family === 'inet6' ? bracketed(endpoint.address) : endpoint.address)
  return withPort(host, endpoint.port)
}

const withPort = (host: string, port: number): string => (port === 80 || port === 443 ? host : `${host}:${port}`)

export function http(wanted: readonly StatusRange[] = wellStatuses): readonly ProbeStep[] {
  const ranges = wanted.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
  return [send(request), expect(`a status of HTTP in ${ranges}`, status(wanted), true)]
}
