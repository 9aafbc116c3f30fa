/** A real watch with all that is beside it: its changes go to a webhook and a file of states, its list comes from a file. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ledger, type Watch } from 'cancelpoint'
import { Agent } from 'cancelpoint/http'
import { expect, it } from 'vitest'
import type { PlannedTarget } from '#internal/check/planned-target'
import type { Problem } from '#internal/cli/input'
import { StateFile } from '#internal/cli/state/file'
import { reloading } from '#internal/cli/watch/reloading'
import { listOf } from '#internal/cli/watch/targets'
import { Webhook } from '#internal/serve/webhook'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'
import { Receiver, secret } from './webhook-support.js'

const stations = useStations()
const soon = { timeout: 10_000 }
const schema = JSON.parse(readFileSync(new URL('../../docs/health-change.schema.json', import.meta.url), 'utf8'))

it('what changes is told once, kept, and known to the next watch', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cancelpoint-told-'))
  const [states, list] = [join(folder, 'states'), join(folder, 'list')]
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const service = net.createServer((socket) => socket.on('error', () => {}).resume())
  await once(service.listen(0, '127.0.0.1'), 'listening')
  const target = `127.0.0.1:${(service.address() as AddressInfo).port}`
  await using receiver = await new Receiver((_, response, count) =>
    response.writeHead(count === 2 ? 503 : 200).end(),
  ).open()
  const manager = await warmManager(stations.accept)
  const agent = new Agent({ manager })

  async function read(signal: AbortSignal) {
    const problems: Problem[] = []
    try {
      const { targets } = await listOf([], { file: [list] }, (problem) => problems.push(problem), signal)
      return { entries: targets }
    } catch (error) {
      return { problems: problems.length > 0 ? problems : [{ message: (error as Error).message }] }
    }
  }

  /** Watches with all of it until `done`. */
  async function watched(done: (watch: Watch) => Promise<void>): Promise<void> {
    const current = await listOf([], { file: [list] }, () => {})
    await using file = await StateFile.open(states, { say })
    const watch = manager.watch(current.targets, { intervalMs: 50, rise: 1, fall: 1, states: file.states })
    file.follow(watch)
    const url = `http://127.0.0.1:${receiver.port}/`
    await using webhook = new Webhook({ url, secret, agent, say, limits: { gatherMs: 20, baseMs: 10, capMs: 20 } })
    await using _ = reloading<PlannedTarget>({
      files: [list],
      read,
      apply: (entries) => watch.replace(entries),
      say,
      current: current.targets,
      limits: { quietMs: 20 },
    })
    const telling = (async () => {
      for await (const change of watch) {
        webhook.tell(change)
        file.note(change)
      }
    })()
    await done(watch)
    await watch[Symbol.asyncDispose]()
    await telling
  }

  const told = () =>
    [...new Map(receiver.messages.map((message) => [message.id, message])).values()]
      .flatMap(({ data }) => data.changes)
      .map(({ target, from, to }) => `${target} ${from}>${to}`)

  writeFileSync(list, `${target}\n`)
  await watched(async (watch) => {
    await expect.poll(told, soon).toEqual([`${target} unknown>up`])
    writeFileSync(`${list}.new`, `${target}\n${stations.refuse}\n`)
    renameSync(`${list}.new`, list)
    await expect.poll(() => watch.summary(), soon).toMatchObject({ up: 1, down: 1 })
    await expect.poll(told, soon).toContain(`${stations.refuse} unknown>down`)
    writeFileSync(list, `${target}\nnonsense here\n`)
    await expect.poll(() => said.join('\n'), soon).toContain(`${list}:2: `)
    writeFileSync(list, `${target}\n${stations.refuse}\n`)
    await expect.poll(() => said.at(-1), soon).toBe('the list was read again and has not changed: 2 targets')
    expect(watch.summary()).toMatchObject({ up: 1, down: 1 })
  })
  service.close()
  await once(service, 'close')
  await watched(async (watch) => {
    expect(watch.summary()).toMatchObject({ unknown: 0 })
    await expect.poll(told, soon).toContain(`${target} up>down`)
  })
  expect(told()).toEqual([`${target} unknown>up`, `${stations.refuse} unknown>down`, `${target} up>down`])
  expect(receiver.messages).toHaveLength(4)
  const isValid = new Ajv2020({ strict: false }).compile(schema)
  for (const { data } of receiver.messages)
    for (const change of data.changes) expect(isValid(change), JSON.stringify(isValid.errors)).toBe(true)
  expect(said.filter((line) => line.startsWith('webhook'))).toHaveLength(2)
  agent.destroy()
  await manager.close()
  expect(ledger()).toMatchObject({ descriptors: 0, attempts: 0 })
  rmSync(folder, { recursive: true })
})
