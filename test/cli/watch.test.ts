/** `cancelpoint watch` as a user runs it. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useStations } from '../support/stations.js'
import { run, start } from './run.js'

const stations = useStations()
const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-watch-'))
const schema = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../docs/health-change.schema.json', import.meta.url)), 'utf8'),
)
const isChange = new Ajv2020({ allErrors: true }).compile(schema)

const server = net.createServer((socket) => void socket.on('error', () => {}).end('220 \u001b[31mhi\r\n'))
let greeting = ''
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  greeting = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  rmSync(directory, { recursive: true })
})

const quick = ['--interval', '100ms', '--timeout', '300ms', '--fall', '2']

describe('with --json', () => {
  it('every change is a line of the published schema, the first ones too', async () => {
    const config = join(directory, 'groups.yml')
    writeFileSync(
      config,
      `groups:
  - { labels: { job: mail }, targets: ["${greeting}"], probe: { steps: [{ expect: "^500" }] } }
  - { labels: { job: api, "\\u202e": "\\x1b[2J" }, targets: ["${stations.accept}", "${stations.refuse}", "${stations.hang}"] }
`,
    )
    const watching = start(['watch', '--json', ...quick, '--config', config])
    await watching.until(/(\{.*\}\n){4}/)
    watching.child.kill('SIGTERM')
    const { code, stdout } = await watching.ended
    expect(code).toBe(0)
    const changes = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const change of changes) expect(isChange(change), JSON.stringify(isChange.errors)).toBe(true)
    const byTarget = new Map(changes.map((change) => [change.target, change]))
    expect(byTarget.get(greeting)).toMatchObject({
      to: 'down',
      code: 'ERR_EXPECT',
      phase: 'expect',
      labels: { job: 'mail' },
    })
    expect(byTarget.get(stations.accept)).toMatchObject({ from: 'unknown', to: 'up', results: 1 })
    expect(byTarget.get(stations.refuse)).toMatchObject({ to: 'down', code: 'ECONNREFUSED' })
    expect(byTarget.get(stations.hang)).toMatchObject({ to: 'down', code: 'ETIMEDOUT' })
    for (const raw of ['\u001b', '\u202e']) expect(stdout).not.toContain(raw)
  })
})

it('people see what is not up, what changes, and a summary', async () => {
  let service = net.createServer((socket) => socket.on('error', () => {}).resume())
  await once(service.listen(0, '127.0.0.1'), 'listening')
  const { port } = service.address() as AddressInfo
  const watching = start(['watch', ...quick, `127.0.0.1:${port}`, stations.refuse])
  await watching.until(new RegExp(`${stations.refuse} {2}down {2}ECONNREFUSED \\(refused\\) Nothing listens there\\.`))
  await watching.until(/1 up, 1 down; 99 of 100 checks began within/)
  service.close()
  await watching.until(new RegExp(`127.0.0.1:${port} {2}down {2}ECONNREFUSED .* it was up for`))
  service = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(port, '127.0.0.1')
  await watching.until(new RegExp(`127.0.0.1:${port} {2}up {2}it was down for`))
  watching.child.kill('SIGINT')
  const { code, stderr } = await watching.ended
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  service.close()
})

it.each<[string[], string]>([
  [[], 'no targets: give some'],
  [['nonsense', '127.0.0.1:1'], 'the list has a mistake'],
  [['--file', '/nonexistent/list', '127.0.0.1:1'], 'the list has a mistake'],
  [['--interval', '0s', '127.0.0.1:1'], 'Expected 1ms to'],
  [['--canary', 'nonsense', '127.0.0.1:1'], 'nonsense'],
  [['--rise', '0', '127.0.0.1:1'], 'Expected a whole number from 1'],
])('%j is bad usage', async (args, words) => {
  const { code, stdout, stderr } = await run(['watch', ...args])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(words)
})

it('ends where its reader leaves', async () => {
  const watching = start(['watch', '--json', ...quick, stations.accept, stations.refuse])
  watching.child.stdout!.destroy()
  expect((await watching.ended).code).not.toBe(null)
})
