/** Hostnames: which text is one, and which are the same. */

/** Hostnames are compared without case, and without the dot that ends a full one. */
export function normaliseHostname(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** RFC 1123, with the underscores that service names have, and a trailing dot. */
export function parseHostname(host: string): string | undefined {
  const hostname = isAscii(host) ? host : punycode(host)
  const labels = hostname.split('.')
  if (labels.length > 1 && labels.at(-1) === '') labels.pop()
  const valid = labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))
  if (!valid || isDigitsAndDots(hostname) || hostname.length > (hostname.endsWith('.') ? 254 : 253)) {
    return undefined
  }
  return hostname
}

/** Empty, and so refused, where it has no such form. The ASCII that would end a URL's host is refused before. */
function punycode(host: string): string {
  if (/[\0-,/:-@[-^`{-\x7f]/.test(host)) return ''
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

export function isDigitsAndDots(text: string): boolean {
  return /^[\d.]+$/.test(text)
}
