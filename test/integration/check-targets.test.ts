/** Targets that bring labels, steps, TLS or a time limit of their own. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { CheckOptions, CheckResult, CheckTarget, ConnectionManager, Target } from 'cancelpoint'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PlannedTarget } from '#internal/check/planned-target'
import { readTarget } from '#internal/core/target'
import { held } from '../support/counts.js'
import { useStations } from '../support/stations.js'
import { warmManager } from '../support/warm-up.js'

const stations = useStations()
let manager: ConnectionManager
let greeting = ''
const server = net.createServer((socket) => void socket.on('error', () => {}).end('220 hi\r\n'))

beforeAll(async () => {
  manager = await warmManager(stations.accept)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  greeting = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await manager.close()
  server.close()
})

async function checked(targets: (Target | CheckTarget)[], options: CheckOptions = {}): Promise<CheckResult[]> {
  const before = held()
  const results: CheckResult[] = []
  for await (const result of manager.check(targets, options)) results.push(result)
  await expect.poll(held).toEqual(before)
  return results.sort((a, b) => a.target.localeCompare(b.target))
}

it('labels come with every result of their target, and with no other', async () => {
  const labels = { job: 'mail', 'a b': 'ö' }
  const results = await checked([
    { target: greeting, labels },
    { target: stations.refuse, labels: {} },
    stations.accept,
  ])
  expect(new Map(results.map((result) => [result.target, result.labels]))).toEqual(
    new Map<string, unknown>([
      [greeting, labels],
      [stations.refuse, {}],
      [stations.accept, undefined],
    ]),
  )
  const byName = await checked([{ target: `localhost:${greeting.split(':')[1]}`, labels }], { allAddresses: true })
  expect(byName.length).toBeGreaterThan(0)
  for (const result of byName) expect(result.labels).toEqual(labels)
})

it('what a target gives goes before the options, and what it does not give is theirs', async () => {
  const steps = [{ expect: '220' }]
  const [own] = await checked([{ target: stations.accept, steps, timeoutMs: 200 }])
  expect(own).toMatchObject({ status: 'down', code: 'ETIMEDOUT', phase: 'expect', step: 0 })
  const [none] = await checked([{ target: stations.accept, steps: [] }], { steps, timeoutMs: 200 })
  expect(none).toMatchObject({ status: 'up' })
  const [theirs] = await checked([{ target: greeting }], { steps })
  expect(theirs).toMatchObject({ status: 'up', stepsMs: expect.any(Number) })
  const [bare] = await checked([{ target: greeting, tls: false, steps: [] }], { tls: true, steps, timeoutMs: 500 })
  expect(bare).toMatchObject({ status: 'up' })
  expect(bare).not.toHaveProperty('stepsMs')
})

it.each<[string, object, string]>([
  ['a slip', { lables: {} }, "It cannot be checked: the target has 'lables': did you mean labels?"],
  ['a label that is no text', { labels: { a: 1 } }, 'labels is {"a":1}: expected an object of strings'],
  ['a wrong step', { steps: [{ expect: /(a)\1/ }] }, 'steps[0].expect is /(a)\\1/: it has a back-reference'],
  ['a wrong limit', { timeoutMs: 0 }, 'timeoutMs is 0: expected milliseconds above 0'],
  [
    'a getter that throws',
    Object.defineProperty({}, 'tls', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    }),
    'reading it threw',
  ],
])('%s is its own result, and the rest goes on', async (_, wrong, words) => {
  const bad = Object.defineProperties({ target: greeting }, Object.getOwnPropertyDescriptors(wrong))
  const results = await checked([bad, stations.accept])
  const refused = results.find(({ target }) => target === greeting)
  expect(refused).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET', errnoClass: 'misuse', attempts: 0 })
  expect(refused!.reason).toContain(words)
  expect(results.find(({ target }) => target === stations.accept)).toMatchObject({ status: 'up' })
})

it('a half-open check refuses a target that is to be spoken to', async () => {
  const [result] = await checked([{ target: greeting, steps: [{ expect: 'x' }] }], { halfOpen: true })
  expect(result).toMatchObject({ status: 'unknown', code: 'ERR_INVALID_TARGET' })
  expect(result!.reason).toContain('halfOpen and steps exclude each other')
})

it('targets that were read share what they give', async () => {
  const own = { steps: [{ expect: '220' }] }
  const targets = [1, 2, 3].map(() => new PlannedTarget(readTarget(greeting), own, { n: 'x' }))
  const results: CheckResult[] = []
  for await (const result of manager.check(targets as unknown as Target[])) results.push(result)
  expect(results.map(({ status, labels }) => [status, labels])).toEqual([1, 2, 3].map(() => ['up', { n: 'x' }]))
})
