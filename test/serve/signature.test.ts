import { Webhook as Verifier } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { secretBytes, signed } from '#internal/serve/signature'

const secret = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

describe('signatures', () => {
  it('are those of the published example', () => {
    const body = '{"test": 2432232314}'
    const headers = signed(secretBytes(secret), 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, body)
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it.each([24, 31, 32, 33, 64])('of a secret of %i bytes are those of the reference library', (length) => {
    const text = Buffer.alloc(length, length).toString('base64')
    const seconds = Math.floor(Date.now() / 1_000)
    const body = '{"ünïcode":"\u{1f600}"}'
    const headers = signed(secretBytes(`whsec_${text}`), 'msg_1', seconds, body)
    expect(new Verifier(text).sign('msg_1', new Date(seconds * 1_000), body)).toBe(headers['webhook-signature'])
    expect(new Verifier(text).verify(body, { ...headers })).toEqual(JSON.parse(body))
  })
})

describe('a secret', () => {
  it.each([secret, `whsec_${secret}`, ` ${secret}\n`, `whsec_${secret}\r\n`])('%j is read', (text) => {
    expect(secretBytes(text)).toEqual(Buffer.from(secret, 'base64'))
  })

  it.each([
    ['', 'is not in base64'],
    ['whsec_', 'is not in base64'],
    ['correct horse battery staple, correct horse', 'is not in base64'],
    [`whsec_whsec_${secret}`, 'is not in base64'],
    ['A'.repeat(33), 'is not in base64'],
    ['c2hvcnQ=', 'has 5 bytes: expected 24 to 64 bytes'],
    [Buffer.alloc(65).toString('base64'), 'has 65 bytes'],
  ])('%j is refused, and not told', (text, words) => {
    expect(() => secretBytes(text)).toThrow(words)
    try {
      secretBytes(text)
    } catch (error) {
      if (text.length > 6) expect(String(error)).not.toContain(text.slice(-8))
    }
  })
})
