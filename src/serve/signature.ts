/** Standard Webhooks' signatures, version 1: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
import { createHmac } from 'node:crypto'

const prefix = 'whsec_'
const [shortest, longest] = [24, 64]
const expected = `expected ${shortest} to ${longest} bytes in base64, with or without ${prefix} before them`

/**
 * The bytes of a secret as it is written in a file. White space around it is left out.
 * @throws TypeError, which does not tell the secret
 */
export function secretBytes(secret: string): Buffer {
  if (typeof secret !== 'string') throw new TypeError(`the webhook's secret is no text: ${expected}`)
  const text = secret.trim().replace(new RegExp(`^${prefix}`), '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw new TypeError(`the webhook's secret is not in base64: ${expected}`)
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length < shortest || bytes.length > longest)
    throw new TypeError(`the webhook's secret has ${bytes.length} bytes: ${expected}`)
  return bytes
}

export interface Signed {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/** The headers of one try. `timestamp`: seconds since the epoch, of the try. `id` has no full stop in it. */
export function signed(secret: Buffer, id: string, timestamp: number, body: string | Buffer): Signed {
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` }
}
