/** Networks in CIDR notation, and whether a numeric address is in one of them. Pure. */
import { isMapped, parseIpv4, parseIpv6 } from './ip.js'

interface Network {
  readonly bytes: Uint8Array
  readonly bits: number
}

export class AllowList {
  readonly #networks: readonly Network[]

  /** @throws RangeError that names the network which cannot be read. */
  constructor(networks: Iterable<string>) {
    this.#networks = [...networks].map(networkOf)
  }

  /** Shaped like that of net.BlockList. An IPv4-mapped address is the IPv4 address. */
  check(address: string): boolean {
    const bytes = bytesOf(address)
    return bytes !== undefined && this.#networks.some((network) => isIn(bytes, network))
  }
}

function networkOf(text: string): Network {
  const [address = '', length, more] = text.split('/')
  const bytes = parseIpv4(address) ?? parseIpv6(address)
  const most = bytes && bytes.length * 8
  const bits = length === undefined ? most : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : Number.NaN
  if (!bytes || bits === undefined || most === undefined || !(bits <= most) || more !== undefined)
    throw new RangeError(
      `${JSON.stringify(text)} is no network: write one in CIDR notation, such as 10.0.0.0/8 or fd00::/8`,
    )
  if (bytes.length === 16 && isMapped(bytes))
    throw new RangeError(`${JSON.stringify(text)} is an IPv4-mapped network: write it as IPv4, such as 10.0.0.0/8`)
  return { bytes, bits }
}

function bytesOf(address: string): Uint8Array | undefined {
  const ipv4 = parseIpv4(address)
  if (ipv4) return ipv4
  const bytes = parseIpv6(address)
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes
}

function isIn(address: Uint8Array, { bytes, bits }: Network): boolean {
  if (address.length !== bytes.length) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i += 1) if (address[i] !== bytes[i]) return false
  const rest = bits & 7
  return rest === 0 || (address[whole]! ^ bytes[whole]!) >> (8 - rest) === 0
}
