/** What is wrong with the options of a probe is the caller's mistake: it is told at once, by name, and never as a target's fault. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { type CheckOptions, type CheckResult, ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Problem } from '#internal/cli/input'
import { readConfig } from '#internal/cli/input/config'
import { selfSigned } from '../support/certificate.js'
import { held, listenersOn } from '../support/counts.js'

const { key, cert } = selfSigned()
const other = selfSigned()

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-mistakes-'))
afterAll(() => rmSync(directory, { recursive: true }))

const openssl = (args: string, input: string): Buffer =>
  execFileSync('openssl', args.split(' '), { input, stdio: 'pipe' })

/** By name, what the files have in them. */
const files: Record<string, string | Buffer> = {
  'cert.pem': cert,
  'key.pem': key,
  'bundle.pem': `subject: one\n${cert}\nissuer: two\n${other.cert}`,
  'other-key.pem': other.key,
  empty: '',
  blank: ' \n\n',
  garbage: 'this is no certificate\n',
  binary: Buffer.from([0, 255, 1, 254]),
  der: openssl('x509 -outform der', cert),
  'der-key': openssl('pkey -outform der', key),
  cut: cert.slice(0, 300),
  'cut-key': key.replace(/-----END.*/s, ''),
  broken: cert.replace(/\nMII/, '\nMIJ'),
  'second-broken': `${cert}${other.cert.replace(/\nMII/, '\nMIJ')}`,
  encrypted: openssl('pkcs8 -topk8 -passout pass:secret', key),
  'encrypted-1': openssl('rsa -aes128 -traditional -passout pass:secret', openssl('genrsa 1024', '').toString()),
  request: openssl('req -new -nodes -newkey rsa:1024 -subj /CN=a -keyout /dev/null', ''),
  hostile: '-----BEGIN \u001b[2J-----\n',
}

beforeAll(() => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  mkdirSync(join(directory, 'folder'))
})

async function mistakesOf(tlsText: string): Promise<string[]> {
  const path = join(directory, 'checks.yml')
  writeFileSync(path, `targets: [127.0.0.1:1]\nprobe:\n  tls:\n${tlsText.replace(/^/gm, '    ')}\n`)
  const problems: Problem[] = []
  await readConfig(
    path,
    () => ({}),
    (problem) => problems.push(problem),
  ).catch((error) => {
    expect(error).toMatchObject({ name: 'UsageError' })
  })
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

// biome-ignore format: a table reads by rows
const certificates: [file: string, message: RegExp][] = [
  ['missing', /cannot be read: no such file or directory$/],
  ['folder', /cannot be read: it is a directory$/],
  ['/dev/zero', /cannot be read: it is no file$/],
  ['empty', /is empty: expected a certificate in PEM$/],
  ['blank', /is empty: expected a certificate in PEM$/],
  ['garbage', /has nothing of PEM in it: expected a certificate in PEM$/],
  ['binary', /has nothing of PEM in it: expected a certificate in PEM$/],
  ['der', /is in DER: expected a certificate in PEM$/],
  ['key.pem', /has a private key and no certificate in it: expected a certificate in PEM$/],
  ['request', /has 'CERTIFICATE REQUEST' in it: expected a certificate in PEM$/],
  ['cut', /has a certificate that is cut off: expected -----END CERTIFICATE----- after it$/],
  ['broken', /has a certificate that cannot be read: make the file anew$/],
  ['second-broken', /has a certificate that cannot be read, number 2: make the file anew$/],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
  ['hostile', /^[^\u001b]*: expected a certificate in PEM$/],
]

// biome-ignore format: a table reads by rows
const keys: [file: string, message: RegExp][] = [
  ['missing', /cannot be read: no such file or directory$/],
  ['folder', /cannot be read: it is a directory$/],
  ['empty', /is empty: expected a private key in PEM$/],
  ['garbage', /has nothing of PEM in it: expected a private key in PEM$/],
  ['der-key', /is in DER: expected a private key in PEM$/],
  ['cert.pem', /has a certificate and no private key in it: expected a private key in PEM$/],
  ['cut-key', /has a private key that cannot be read: make the file anew$/],
  ['encrypted', /has a private key that is encrypted: expected one without a passphrase/],
  ['encrypted-1', /has a private key that is encrypted: expected one without a passphrase/],
  ['other-key.pem', /does not belong to the certificate of cert$/],
]

describe('a file of a configuration', () => {
  it.each(certificates)('ca: %s', async (file, message) => {
    const [mistake, ...more] = await mistakesOf(`insecure: false\nca: ${file}`)
    expect(more).toEqual([])
    expect(mistake).toContain(`5:9 ca is '${file}', which `)
    expect(mistake).toMatch(message)
  })

  it.each(certificates)('cert: %s', async (file, message) => {
    const [mistake, ...more] = await mistakesOf(`key: key.pem\ncert: ${file}`)
    expect(more).toEqual([])
    expect(mistake).toContain(`5:11 cert is '${file}', which `)
    expect(mistake).toMatch(message)
  })

  it.each(keys)('key: %s', async (file, message) => {
    const [mistake, ...more] = await mistakesOf(`cert: cert.pem\nkey: ${file}`)
    expect(more).toEqual([])
    expect(mistake).toContain(`5:10 key is '${file}', which `)
    expect(mistake).toMatch(message)
  })

  it('each mistake is told, and good ones are taken', async () => {
    expect(await mistakesOf('ca: empty\ncert: garbage\nkey: folder')).toHaveLength(3)
    expect(await mistakesOf('ca: bundle.pem\ncert: cert.pem\nkey: key.pem')).toEqual([])
    expect(await mistakesOf('cert: bundle.pem\nkey: key.pem')).toEqual([])
  })
})

describe('options', () => {
  let manager: ConnectionManager
  const server = tls.createServer({ key, cert }, (socket) => void socket.on('error', () => {}).resume())
  let target = ''
  beforeAll(async () => {
    server.on('tlsClientError', () => {})
    await once(server.listen(0, '127.0.0.1'), 'listening')
    target = `127.0.0.1:${(server.address() as AddressInfo).port}`
    manager = new ConnectionManager()
  })
  afterAll(async () => {
    await manager.close()
    server.close()
  })

  async function checked(options: CheckOptions, given: Parameters<ConnectionManager['check']>[0] = [target]) {
    const results: CheckResult[] = []
    for await (const result of manager.check(given, options)) results.push(result)
    return results
  }

  // biome-ignore format: a table reads by rows
  const wrong: [what: string, tls: tls.ConnectionOptions, message: RegExp][] = [
    ['no authority', { ca: '' }, /ca is empty: expected a certificate in PEM$/],
    ['an empty list of authorities', { ca: [] }, /ca is empty/],
    ['garbage among authorities', { ca: [cert, 'garbage'] }, /ca has nothing of PEM in it/],
    ['bytes that are none', { ca: Buffer.from(key) }, /ca has a private key and no certificate in it/],
    ['a key of another certificate', { cert, key: other.key }, /cannot be used, of which cert, key: .*mismatch/],
    ['an encrypted key', { cert, key: files.encrypted }, /cannot be used, of which cert, key: /],
    ['ciphers that nobody has', { ciphers: 'NONE-SUCH' }, /cannot be used, of which ciphers: /],
  ]

  it.each(wrong)('%s: a check, a target, a step and a watch say so', async (_, tlsOptions, message) => {
    const { signal } = new AbortController()
    const before = held()
    await expect(checked({ tls: tlsOptions, signal })).rejects.toThrow(message)
    await expect(checked({ steps: [{ starttls: tlsOptions }], signal })).rejects.toThrow(message)
    expect(() => manager.watch([target], { tls: tlsOptions, signal })).toThrow(message)
    expect(listenersOn(signal)).toBe(0)
    const [result] = await checked({}, [{ target, tls: tlsOptions }])
    expect(result).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET', errnoClass: 'misuse', attempts: 0 })
    expect(result!.reason!.replace(/\.$/, '')).toMatch(message)
    expect(held()).toEqual(before)
  })

  it('days of certificates that nobody looks at', async () => {
    const { signal } = new AbortController()
    const message = /minCertificateDays is 3, and nothing speaks TLS/
    const minCertificateDays = 3
    await expect(checked({ minCertificateDays, signal })).rejects.toThrow(message)
    await expect(checked({ minCertificateDays, tls: false, steps: [{ expect: 'x' }], signal })).rejects.toThrow(message)
    expect(() => manager.watch([target], { minCertificateDays, signal })).toThrow(message)
    expect(listenersOn(signal)).toBe(0)
    const [result] = await checked({}, [{ target, minCertificateDays }])
    expect(result).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET', attempts: 0 })
    expect(result!.reason).toMatch(message)
  })

  it('days of certificates that are looked at: of the check, of a target, of the manager', async () => {
    const expiring = [{ status: 'down', code: 'ERR_CERT_EXPIRING' }]
    const tlsOptions = { ca: cert }
    expect(await checked({ minCertificateDays: 30, tls: tlsOptions })).toMatchObject(expiring)
    expect(await checked({ minCertificateDays: 30, steps: [{ starttls: tlsOptions }] })).toMatchObject(expiring)
    expect(await checked({}, [{ target, tls: tlsOptions, minCertificateDays: 30 }])).toMatchObject(expiring)
    expect(await checked({ tls: tlsOptions }, [{ target, minCertificateDays: 30 }])).toMatchObject(expiring)
    const plain = { target, tls: false, minCertificateDays: undefined }
    expect(await checked({ tls: tlsOptions, minCertificateDays: 30 }, [plain])).toMatchObject([{ status: 'up' }])
    await using other = new ConnectionManager({ tls: tlsOptions })
    for await (const result of other.check([target], { minCertificateDays: 30 }))
      expect(result).toMatchObject(expiring[0]!)
  })

  it('what is right is taken', async () => {
    for (const ca of [cert, Buffer.from(cert), [other.cert, cert], `words\n${cert}`])
      expect(await checked({ tls: { ca } })).toMatchObject([{ status: 'up' }])
    expect(await checked({ tls: { ca: undefined, cert, key, rejectUnauthorized: false } })).toMatchObject([
      { status: 'up' },
    ])
  })
})
