/** `check` with what is asked of a target beyond the connect. */
import { once } from 'node:events'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import type { CheckResult } from 'cancelpoint'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from './run.js'

const servers: Server[] = []
const said: string[] = []
const ports = { echo: '', http: '' }

async function serve(peer: (socket: Socket) => void): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).setEncoding('latin1')
    peer(socket)
  })
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  ports.echo = await serve((socket) => {
    socket.write('220 hi\r\n')
    socket.on('data', (text) => {
      said.push(String(text))
      socket.write('250 OK\r\n')
    })
  })
  ports.http = await serve((socket) => {
    socket.once('data', (text) => {
      said.push(String(text))
      socket.end('HTTP/1.1 404 \u001b[31mNot Found\r\n\r\n')
    })
  })
})
afterAll(() => {
  for (const server of servers) server.close()
})

async function checked(...args: string[]) {
  said.length = 0
  const { code, stdout, stderr } = await run(['check', '--json', '--timeout', '500ms', ...args])
  expect(stderr).toBe('')
  return { code, result: JSON.parse(stdout) as CheckResult, stdout }
}

it('--send and --expect are steps in the order given', async () => {
  const steps = ['--expect', '^220 .*\\r\\n', '--send', 'EHLO \\x00\\xff\\\\é\\r\\n', '--expect', '^250 ']
  const { code, result } = await checked(...steps, ports.echo)
  expect({ code, status: result.status }).toEqual({ code: 0, status: 'up' })
  expect(said).toEqual(['EHLO \u0000\u00ff\\\u00c3\u00a9\r\n'])
  const wrong = await checked('--expect', '^220', '--expect', '^250', ports.echo)
  expect(wrong.result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', phase: 'expect', step: 1 })
  expect(wrong.code).toBe(1)
})

it('--timeout is for one try, and --retries gives each its own', async () => {
  const steps = ['--expect', 'never', '--timeout', '200ms']
  const once = await checked(...steps, ports.echo)
  expect(once.result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', phase: 'expect', attempts: 1 })
  const twice = await checked(...steps, '--retries', '1', ports.echo)
  expect(twice.result).toMatchObject({ status: 'down', code: 'ETIMEDOUT', phase: 'expect', attempts: 2 })
  expect(twice.result.reason).toContain('did not come within 200 ms')
})

it('--probe http asks for the host, and judges the status', async () => {
  const { result, stdout } = await checked('--probe', 'http', ports.http)
  expect(result).toMatchObject({ status: 'down', code: 'ERR_EXPECT', errnoClass: 'protocol', phase: 'expect', step: 1 })
  expect(said[0]).toMatch(new RegExp(`^GET / HTTP/1\\.1\\r\\nHost: ${ports.http}\\r\\n`))
  expect(stdout).not.toContain('\u001b')
  const { code } = await checked('--probe', 'http', '--expect-status', '4xx', ports.http)
  expect(code).toBe(0)
})

it.each<[string[], string]>([
  [['--probe', 'gopher'], "'gopher' is invalid"],
  [['--expect', '('], 'Invalid regular expression'],
  [['--expect', '(?=a)'], 'look-around'],
  [['--send', '\\q'], 'It has \\q'],
  [['--expect-status', '200'], '--expect-status is for --probe http'],
  [['--probe', 'http', '--expect-status', 'ok'], 'Expected a final status from 200 to 599'],
  [['--probe', 'http', '--expect-status', '100'], 'Expected a final status from 200 to 599'],
  [['--probe', 'http', '--expect-status', '200,1xx'], 'Expected a final status from 200 to 599'],
  [['--probe', 'redis', '--send', 'x'], 'exclude each other'],
  [['--probe', 'redis', '--starttls', 'smtp'], 'of two protocols'],
  [['--tls', '--starttls', 'smtp'], 'cannot be used with'],
  [['--half-open', '--probe', 'redis'], 'cannot be used with'],
  [['--cert-min-days', '-1'], 'Expected a whole number of days'],
])('%j is bad usage', async (args, words) => {
  const { code, stdout, stderr } = await run(['check', ...args, '127.0.0.1:1'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.replace(/\s+/g, ' ')).toContain(words)
})
