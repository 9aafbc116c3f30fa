/** Ranges of targets, written in one word, one after the other: never as a list. */

import { show } from './invalid-target.js'
import { formatIpv4, formatIpv6 } from './ip.js'
import { type PortRange, rangeIn } from './range.js'
import { type ParsedTarget, parseTarget, ReadTarget } from './target.js'

export { targetsPerRange } from './range.js'

/**
 * The targets that one word stands for, as `check()` takes them: `10.0.0.0/28:80,443`, `127.0.0.1-127.0.0.9:80`,
 * `[2001:db8::/126]:80`, `host:8000-8010`, and octets as nmap has them: `10.0.0-3.1,2,9:80`, where `*` or `-` is 0 to
 * 255, `-9` is 0 to 9 and `250-` is 250 to 255. A network is every address in it, the first and the last included (they
 * are hosts as good as any on loopback and point-to-point links), whichever address of it is written. Addresses go up,
 * each one once, and each has its ports in the order written. What is no range comes back as written; `tcp://` stays.
 * Targets are made one at a time, as they are asked for.
 * @throws InvalidTargetError (`ERR_INVALID_TARGET`) at the first `next()`: unreadable, or more than 16,777,216 targets.
 */
export function* expandTargets(text: string): Generator<string, void, undefined> {
  for (const { text: target } of readTargets(text)) yield target
}

/** The same, each with what it says, so that nobody has to read it again. */
export function* readTargets(text: string): Generator<ReadTarget, void, undefined> {
  if (typeof text !== 'string') throw new TypeError(`text is ${show(text)}: expected a string such as '10.0.0.0/28:80'`)
  const range = rangeIn(text)
  if (!range) {
    yield new ReadTarget(text, parseTarget(text))
    return
  }
  const { addresses, host, ports } = range
  if (!addresses) yield* eachPort(host, parseTarget(`${host}:${ports[0]!.first}`), ports)
  else {
    const scheme = text.startsWith('tcp://') ? 'tcp://' : ''
    for (const address of addresses.each()) yield* eachPort(...hostOf(address, scheme), ports)
  }
}

/** The words of one line of a list, each a target or a range, up to a `#` that starts the line or follows white space. */
export function wordsOfLine(line: string): string[] {
  const words = line.split(/\s+/).filter((word) => word !== '')
  const comment = words.findIndex((word) => word.startsWith('#'))
  return comment < 0 ? words : words.slice(0, comment)
}

/** An address as a host is written, and as a target that its ports are put into. */
export function hostOf(address: Uint8Array, scheme: string, port = 0): [host: string, parsed: ParsedTarget] {
  const isIpv4 = address.length === 4
  const text = isIpv4 ? formatIpv4(address) : formatIpv6(address)
  const endpoint = { family: isIpv4 ? 'inet' : 'inet6', address: text, port } as const
  return [`${scheme}${isIpv4 ? text : `[${text}]`}`, { kind: 'endpoint', endpoint }]
}

function* eachPort(
  host: string,
  parsed: ParsedTarget,
  ports: readonly PortRange[],
): Generator<ReadTarget, void, undefined> {
  for (const { first, last } of ports) {
    for (let port = first; port <= last; port += 1) yield new ReadTarget(`${host}:${port}`, withPort(parsed, port))
  }
}

export function withPort(parsed: ParsedTarget, port: number): ParsedTarget {
  if (parsed.kind === 'name') return { ...parsed, port }
  return { ...parsed, endpoint: { ...parsed.endpoint, port } as typeof parsed.endpoint }
}
