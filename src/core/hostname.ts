/** Hostnames: which text is one, and which are the same. No regular expressions for ASCII: this runs for every target. */

import { printable } from './text.js'

const labelAtMost = 63
/** Without the dot that ends a full name. */
const hostnameAtMost = 253

const dot = 46
const hyphen = 45
const underscore = 95

/** A hostname as SNI and certificates have it: without the dot that ends a full one (RFC 6066, section 3). */
export const withoutDot = (name: string): string => name.replace(/\.$/, '')

/** Hostnames are compared without case, and without the dot that ends a full one. */
export function normaliseHostname(name: string): string {
  return withoutDot(name.toLowerCase())
}

/**
 * Letters, digits, hyphens and underscores in labels, and perhaps a final dot; a hostname in another script as punycode.
 * DNS has names that RFC 1123 forbids, with underscores and with hyphens at the ends of labels. A name of numbers alone
 * is none: what looks like an address is never asked of DNS.
 */
export function parseHostname(host: string): string | undefined {
  const hostname = isAscii(host) ? host : punycode(host)
  return isHostname(hostname) && !isNumeric(hostname) ? hostname : undefined
}

function isHostname(text: string): boolean {
  const { length } = text
  let label = 0
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i)
    if (code === dot) {
      if (label === 0) return false
      label = 0
    } else {
      label += 1
      if (label > labelAtMost || !isNameCode(code)) return false
    }
  }
  return length > 0 && length <= (label === 0 ? hostnameAtMost + 1 : hostnameAtMost)
}

function isNameCode(code: number): boolean {
  const letter = code | 32
  return (letter >= 97 && letter <= 122) || isDigit(code) || code === hyphen || code === underscore
}

/**
 * Whether each label is a number or a range of numbers: `1.2.3`, `0x7f.1`, `127.0.0-1.*`. Such a text is an address, a
 * range of addresses or a slip, whatever its base: inet_aton(3) reads octal and hexadecimal numbers.
 */
export function isNumeric(host: string): boolean {
  const code = host.charCodeAt(0)
  return (isDigit(code) || numericMarks.includes(host[0]!)) && host.split('.').every(isNumericLabel)
}

const numericMarks = '-*,'

function isNumericLabel(label: string): boolean {
  return label.split(/[-,]/).every((part) => /^(\d*|0x[\da-f]*|\*)$/i.test(part))
}

/** Empty, and so refused, where it has no such form. The ASCII that would end a URL's host is refused before. */
function punycode(host: string): string {
  // Characters that cannot be seen would be dropped: '\u200bunix' must not become 'unix'.
  if (/[\0-,/:-@[-^`{-\x7f]/.test(host) || printable(host) !== host) return ''
  try {
    return new URL(`http://${host}`).hostname
  } catch {
    return ''
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 127) return false
  return true
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57
