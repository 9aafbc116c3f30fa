/** A number for a text, the same on every machine and in every version. Not for secrets. */

/** FNV-1a over UTF-16 units, finished so that every bit counts: 32 bits, from 0 up. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mixed(hash)
}

/** Each bit of the result depends on each bit of the number: the finish of MurmurHash3. */
export function mixed(number: number): number {
  let value = number | 0
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
