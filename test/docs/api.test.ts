/** docs/api.md says what is there: its examples run, and every option and field stands on it. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(`${root}docs/api.md`, 'utf8')
const examples = [...page.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code]) => code!)
const run = promisify(execFile)

describe('docs/api.md', () => {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume())
  let port = ''
  let refusing = ''

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    port = String((server.address() as AddressInfo).port)
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    refusing = String((other.address() as AddressInfo).port)
    other.close()
  })
  afterAll(() => server.close())

  it.each(examples.map((code, index) => [index + 1, code] as const))('example %i runs', async (index, code) => {
    mkdirSync(`${root}dist/examples`, { recursive: true })
    const file = `${root}dist/examples/${index}.mjs`
    writeFileSync(
      file,
      code.replace(/808[01]/g, (each) => (each === '8080' ? port : refusing)),
    )
    const { stderr } = await run(process.execPath, [file], { timeout: 20_000 })
    expect(stderr).toBe('')
  })

  const types = readFileSync(`${root}src/types.ts`, 'utf8')
  const fieldsOf = (name: string): string[] => {
    const body = new RegExp(`interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(types)![1]!
    return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field!)
  }

  it.each([
    'ConnectOptions',
    'ManagerOptions',
    'CheckOptions',
    'CheckResult',
    'WatchOptions',
    'HealthChange',
    'TargetHealth',
    'WatchSummary',
    'AttemptRecord',
    'ManagerStats',
    'EngineStats',
    'Ledger',
  ])('knows every field of %s', (name) => {
    const missing = fieldsOf(name).filter((field) => !new RegExp(`\\b${field}\\b`).test(page))
    expect(missing).toEqual([])
  })
})
