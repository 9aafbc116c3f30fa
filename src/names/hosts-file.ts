/** The hosts file: names to numeric addresses. */
import { endpointOf } from '../core/endpoint.js'
import { normaliseHostname } from '../core/hostname.js'
import { ParsedFile } from './parsed-file.js'

export class HostsFile {
  readonly #file: ParsedFile<Map<string, string[]>>

  constructor(path = '/etc/hosts') {
    this.#file = new ParsedFile(path, parseHosts)
  }

  /**
   * Addresses in the file's order, empty where it does not know the name. A file that cannot be read knows none. While
   * this machine lacks the means to read it (descriptors, memory), its last content counts.
   * @throws the error that kept it from being read, for a name that its last content did not have.
   */
  lookup(name: string): readonly string[] {
    const { said, lack } = this.#file.read()
    const known = said.get(normaliseHostname(name))
    if (!known && lack) throw lack
    return known ?? []
  }
}

/** Lines of an address and its names, `#` to the end a comment. Addresses that are not numeric are passed over. */
export function parseHosts(text: string): Map<string, string[]> {
  const addresses = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/s, '').trim().split(/\s+/)
    if (!address || !endpointOf(address, 0)) continue
    for (const name of names) {
      const key = normaliseHostname(name)
      const known = addresses.get(key)
      if (!known) addresses.set(key, [address])
      else if (!known.includes(address)) known.push(address)
    }
  }
  return addresses
}
