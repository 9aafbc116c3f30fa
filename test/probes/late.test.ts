/** TLS and steps run in JavaScript, which may be late: that is never told as the target's fault. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CheckResult, ConnectionManager } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/certificate.js'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const stations = useStations()
const { key, cert } = selfSigned()
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-late-'))
const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
writeFileSync(keyFile, key)
writeFileSync(certFile, cert)

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe.each(engines)('%s engine', (engine) => {
  const server = spawn(process.execPath, [
    fileURLToPath(new URL('../support/tls-echo.mjs', import.meta.url)),
    keyFile,
    certFile,
  ])
  let port = 0
  let manager: ConnectionManager
  beforeAll(async () => {
    manager = await warmManager(stations.accept, { engine })
    port = Number(String((await once(server.stdout, 'data'))[0]))
  })
  afterAll(async () => {
    await manager.close()
    server.stdin.end()
    await once(server, 'exit')
    rmSync(directory, { recursive: true, force: true })
  })

  it('500 probes are up, though the loop is blocked for a second in the middle of them', async () => {
    const steps = [{ expect: /^220 .*\r\n/ }, { send: 'EHLO\r\n' }, { expect: /^250 / }]
    const before = held()
    const results: CheckResult[] = []
    const targets = Array.from({ length: 500 }, () => `127.0.0.1:${port}`)
    const options = { steps, tls: { ca: cert }, timeoutMs: 900, concurrency: 64 }
    for await (const result of manager.check(targets, options)) {
      results.push(result)
      if (results.length === 250) block(1_000)
    }
    expect(results).toHaveLength(500)
    expect(results.filter(({ status }) => status === 'down')).toEqual([])
    expect(results.filter(({ status }) => status === 'up').length).toBeGreaterThan(0)
    await expect.poll(held).toEqual(before)
  })

  it('a peer that hangs up while the loop is blocked is unknown; one that does so by itself is down', async () => {
    const impatient = net.createServer((socket: Socket) => socket.on('error', () => {}).resume())
    await once(impatient.listen(0, '127.0.0.1'), 'listening')
    const target = `127.0.0.1:${(impatient.address() as AddressInfo).port}`
    const only = async () => {
      for await (const result of manager.check([target], { steps: [{ expect: 'OK' }], timeoutMs: 5_000 })) return result
      throw new Error('no result')
    }
    impatient.once('connection', (socket) => {
      setImmediate(() => {
        block(700)
        socket.end()
      })
    })
    expect(await only()).toMatchObject({ status: 'unknown', errnoClass: 'local', phase: 'expect' })
    impatient.once('connection', (socket) => socket.end())
    expect(await only()).toMatchObject({ status: 'down', code: 'ERR_EXPECT', errnoClass: 'protocol' })
    impatient.close()
  })
})
