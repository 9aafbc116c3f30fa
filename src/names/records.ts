/** What name servers say of one family of a full name, and what that means. */
import type { Family } from '../core/endpoint.js'
import * as limits from '../core/limits.js'
import { ConnectError, unresolvedError } from '../errors/connect-error.js'

/** Addresses, or an error in their place: a ConnectError where this machine could not ask. */
export type Records = Found | { readonly error: NodeJS.ErrnoException }

export interface Found {
  readonly addresses: readonly string[]
  /** How many more there are, that are not tried. */
  readonly leftOut: number
  /** Milliseconds. */
  readonly ttlMs: number
}

export const hasAddresses = (records: Records | undefined): records is Found =>
  records !== undefined && 'addresses' in records

/** As c-ares gives them, `ttl` in seconds. */
export function foundIn(answers: readonly { address: string; ttl: number }[]): Found {
  const all = [...new Set(answers.map(({ address }) => address))]
  const addresses = all.slice(0, limits.addressesAtMost)
  const ttlMs = Math.min(limits.ttlAtMostMs, ...answers.map(({ ttl }) => ttl * 1000))
  return { addresses, leftOut: all.length - addresses.length, ttlMs }
}

const noName: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'EBADNAME'])
const noAddress: ReadonlySet<unknown> = new Set([...noName, 'ENODATA'])

/** The name's own servers have said that there is no such name, or no address of it. */
export const saysNone = (error: NodeJS.ErrnoException): boolean => noAddress.has(error.code)

/** How long to believe it: 0 where nobody could say. */
export function ttlOf(records: Records): number {
  if (hasAddresses(records)) return records.ttlMs
  return saysNone(records.error) ? limits.negativeTtlMs : 0
}

/** What is known of some families of a name. `error`: why that is less than it might be. */
export interface Answer {
  families: readonly Family[]
  /** Numeric, in order of preference. */
  addresses: readonly string[]
  error?: ConnectError
}

export function answerOf(hostname: string, families: readonly Family[], records: readonly Records[]): Answer {
  const addresses = records.flatMap((each) => (hasAddresses(each) ? each.addresses : []))
  const leftOut = records.reduce((sum, each) => sum + (hasAddresses(each) ? each.leftOut : 0), 0)
  const failed = records.filter((each) => !hasAddresses(each) && !saysNone(each.error))
  const error = failed.length > 0 ? failureOf(hostname, failed) : tooManyError(hostname, leftOut)
  return { families, addresses, ...(error && { error }) }
}

/** Of many addresses those that are tried, in the order given: so many of each family. */
export function fewEnough<T>(all: readonly T[], isIpv6: (each: T) => boolean): { few: readonly T[]; leftOut: number } {
  if (all.length <= limits.addressesAtMost) return { few: all, leftOut: 0 }
  const seen = { ipv6: 0, ipv4: 0 }
  const few = all.filter((each) => {
    const family = isIpv6(each) ? 'ipv6' : 'ipv4'
    seen[family] += 1
    return seen[family] <= limits.addressesAtMost
  })
  return { few, leftOut: all.length - few.length }
}

/** Some addresses of a name are not tried: they might have answered. */
export function tooManyError(hostname: string, leftOut: number): ConnectError | undefined {
  if (leftOut === 0) return undefined
  const detail =
    `the name has more than ${limits.addressesAtMost} addresses of a family, and ${leftOut} of them are not tried; ` +
    'give addresses as targets to try them all'
  return new ConnectError({ code: 'ERR_TOO_MANY_ADDRESSES', syscall: 'connect', hostname, errnoClass: 'name', detail })
}

/**
 * The error of a name none of whose families has an address. NXDOMAIN, and no data of either family, are ENOTFOUND.
 * Anything else may be otherwise in a moment: EAI_AGAIN, or the ConnectError of a machine that could not ask.
 */
export function failureOf(hostname: string, records: readonly Records[]): ConnectError {
  const errors = records.flatMap((each) => ('error' in each ? each.error : []))
  const missing = errors.find(({ code }) => noName.has(code))
  const unsaid = errors.find((error) => !saysNone(error))
  const told = missing ?? unsaid ?? errors[0]
  const syscall = told?.syscall ?? 'queryA'
  if (missing || !unsaid) return unresolvedError('ENOTFOUND', syscall, hostname, told)
  return errors.find((error) => error instanceof ConnectError) ?? unresolvedError('EAI_AGAIN', syscall, hostname, told)
}
