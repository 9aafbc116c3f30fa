/** resolv.conf(5): which full names a name may stand for, and which servers to ask, how. */
import { isIP } from 'node:net'
import { hostname } from 'node:os'

import { normaliseHostname } from '../core/hostname.js'
import * as limits from '../core/limits.js'
import { ParsedFile } from './parsed-file.js'

export interface ResolvRules {
  /** Undefined: this machine's own domain. */
  search: readonly string[] | undefined
  /** A name with so many dots is tried as it is first. */
  ndots: number
  /** Addresses. */
  servers: readonly string[]
  /** How long to wait for a server's answer; undefined for the default. Milliseconds. */
  timeoutMs?: number
  /** How often to ask servers that do not answer; undefined for the default. */
  tries?: number
  /** Whether to begin with another server each time. */
  rotate?: boolean
}

const ndotsAtMost = 15
const nameLengthAtMost = 253

export class ResolvConf {
  readonly #file: ParsedFile<ResolvRules>

  constructor(path = '/etc/resolv.conf') {
    this.#file = new ParsedFile(path, parseResolvConf)
  }

  /** @throws the error that kept the file from being read, where this machine lacks the means (descriptors, memory). */
  read(): ResolvRules {
    const { said, lack } = this.#file.read()
    if (lack) throw lack
    return said
  }
}

/** The last line of `search` or `domain` counts, as does the last `ndots`. */
export function parseResolvConf(text: string): ResolvRules {
  const servers: string[] = []
  const rules: ResolvRules = { search: undefined, ndots: 1, servers }
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'search') rules.search = values
    else if (keyword === 'domain') rules.search = values.slice(0, 1)
    else if (keyword === 'nameserver') servers.push(...values.slice(0, 1).filter(isIP))
    else if (keyword === 'options') for (const value of values) readOption(value, rules)
  }
  return rules
}

function readOption(option: string, rules: ResolvRules): void {
  const [, name, digits] = /^(ndots|timeout|attempts|rotate)(?::(\d+))?$/.exec(option) ?? []
  if (name === 'rotate') rules.rotate = true
  if (digits === undefined) return
  const value = Number(digits)
  if (name === 'ndots') rules.ndots = Math.min(ndotsAtMost, value)
  // As glibc, which takes 0 for none given.
  else if (name === 'timeout' && value > 0) rules.timeoutMs = Math.min(limits.serverTimeoutAtMostMs, value * 1000)
  else if (name === 'attempts' && value > 0) rules.tries = Math.min(limits.serverTriesAtMost, value)
}

/** The name itself, as a candidate. */
export const asWritten = normaliseHostname

/** The full names to ask for, in order, in lower case and without the dot at the end. */
export function candidatesOf(written: string, { search = localDomain(), ndots }: ResolvRules): readonly string[] {
  const name = normaliseHostname(written)
  if (written.endsWith('.')) return [name]
  const longer = search
    .map((domain) => normaliseHostname(domain === '.' ? name : `${name}.${domain}`))
    .filter((full) => full !== name && full.length <= nameLengthAtMost)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [name, ...longer] : [...longer, name]
}

/** All after the first dot of the machine's own name. */
function localDomain(): readonly string[] {
  const own = hostname()
  const dot = own.indexOf('.')
  return dot < 0 || dot === own.length - 1 ? [] : [own.slice(dot + 1)]
}
