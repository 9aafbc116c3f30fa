/** Numeric addresses: text to bytes in network order, and back. No regular expressions: this runs for every attempt. */

const dot = 46
const colon = 58
const zero = 48

/** Writes a strict dotted quad (four decimals, no leading zeros) at `at`. False where `text` is none. */
export function writeIpv4(text: string, bytes: Uint8Array, at: number): boolean {
  const { length } = text
  if (length < 7 || length > 15) return false
  let part = 0
  let digits = 0
  let value = 0
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i)
    if (code === dot) {
      if (digits === 0 || part === 3) return false
      bytes[at + part] = value
      part += 1
      digits = 0
      value = 0
    } else {
      const digit = code - zero
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return false
      value = value * 10 + digit
      digits += 1
      if (value > 255) return false
    }
  }
  if (part !== 3 || digits === 0) return false
  bytes[at + 3] = value
  return true
}

/** The four bytes of a strict dotted quad, or undefined. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  return writeIpv4(text, bytes, 0) ? bytes : undefined
}

export function formatIpv4(bytes: Uint8Array, at = 0): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** The sixteen bytes of an IPv6 address (RFC 4291, an IPv4 tail included; no zone), or undefined. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const { length } = text
  const bytes = new Uint8Array(16)
  let written = 0
  let gap = -1
  let i = 0
  if (text.startsWith('::')) {
    gap = 0
    i = 2
  }
  while (i < length) {
    if (written === 16) return undefined
    const start = i
    let value = 0
    for (let digit = hexDigit(text.charCodeAt(i)); digit >= 0; digit = hexDigit(text.charCodeAt(i))) {
      value = value * 16 + digit
      i += 1
      if (i - start > 4) return undefined
    }
    if (text.charCodeAt(i) === dot) {
      if (written > 12 || !writeIpv4(text.slice(start), bytes, written)) return undefined
      written += 4
      break
    }
    if (i === start) return undefined
    bytes[written] = value >> 8
    bytes[written + 1] = value & 255
    written += 2
    if (i === length) break
    if (text.charCodeAt(i) !== colon) return undefined
    i += 1
    if (text.charCodeAt(i) === colon) {
      if (gap >= 0) return undefined
      gap = written
      i += 1
    } else if (i === length) return undefined
  }
  if (gap < 0) return written === 16 ? bytes : undefined
  if (written === 16) return undefined
  const tail = 16 - (written - gap)
  bytes.copyWithin(tail, gap, written)
  return bytes.fill(0, gap, tail)
}

function hexDigit(code: number): number {
  if (code >= zero && code <= 57) return code - zero
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as `::`, IPv4-mapped as a dotted quad. */
export function formatIpv6(bytes: Uint8Array): string {
  if (isMapped(bytes)) return `::ffff:${formatIpv4(bytes, 12)}`
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  const { start, length } = longestZeroRun(groups)
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  groups.forEach((group, i) => {
    if (group !== 0) start = i + 1
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start }
  })
  return best
}

export function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i += 1) if (bytes[i] !== 0) return false
  return bytes[10] === 255 && bytes[11] === 255
}

/** The IPv4 address that an IPv4-mapped one stands for. */
export function mappedIpv4(text: string): string | undefined {
  const bytes = parseIpv6(text)
  return bytes && isMapped(bytes) ? formatIpv4(bytes, 12) : undefined
}

/** `fe80::1%eth0` in its parts. A zone of digits is a scope id already; a name has to be looked up by a caller. */
export function splitZone(text: string): { address: string; scopeId?: number; zone?: string } {
  const percent = text.indexOf('%')
  if (percent < 0) return { address: text }
  const address = text.slice(0, percent)
  const zone = text.slice(percent + 1)
  const scopeId = /^\d{1,10}$/.test(zone) ? Number(zone) : -1
  return scopeId >= 0 && scopeId <= 0xffff_ffff ? { address, scopeId } : { address, zone }
}
