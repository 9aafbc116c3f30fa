/** What a peer sent, as people may see it: some of it, in quotation marks. */
import { printable } from '../core/text.js'

const bytesShown = 60

export function quoted(bytes: Buffer): string {
  const shown = bytes.subarray(0, bytesShown).toString('utf8')
  return `${printable(JSON.stringify(shown))}${bytes.length > bytesShown ? ' and more' : ''}`
}
