/** The protocols that TLS asks for by ALPN (RFC 7301, section 3.1): names of 1 to 255 bytes, in a list of at most 65,535. */
import { show } from './invalid-target.js'

const nameAtMost = 255
const listAtMost = 65_535

/** `given` as tls.connect takes it: names, or a list as it goes over the wire. What is wrong with it is told as a clause. */
export function protocolsOf(given: unknown): { names: readonly string[] } | { fault: string } {
  if (given === undefined || given === null) return { names: [] }
  if (ArrayBuffer.isView(given)) return fromWire(bytesOf(given))
  if (!Array.isArray(given))
    return { fault: `is ${show(given)}: expected an array of names such as ['h2', 'http/1.1']` }
  const names: string[] = []
  let length = 0
  for (const name of given) {
    if (typeof name !== 'string' && !ArrayBuffer.isView(name))
      return { fault: `has ${show(name)}: expected names such as 'h2'` }
    const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : bytesOf(name)
    const fault = faultOfName(bytes.length)
    if (fault) return { fault }
    length += 1 + bytes.length
    names.push(textOf(bytes))
  }
  return length > listAtMost ? { fault: `has ${length} bytes in all: expected at most ${listAtMost}` } : { names }
}

/** What is wrong with a name of so many bytes. */
const faultOfName = (length: number): string | undefined => {
  if (length === 0) return "has a name that is empty: expected one such as 'h2'"
  return length > nameAtMost ? `has a name of ${length} bytes: expected at most ${nameAtMost}` : undefined
}

function fromWire(bytes: Uint8Array): { names: readonly string[] } | { fault: string } {
  const names: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]!
    const end = at + 1 + length
    if (length === 0) return { fault: faultOfName(0)! }
    if (end > bytes.length) return { fault: 'ends within a name: expected a byte with its length before each' }
    names.push(textOf(bytes.subarray(at + 1, end)))
    at = end
  }
  return { names }
}

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
const textOf = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
