import type { CheckOptions, CheckResult, ManagerOptions, RetryPolicy } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LabTarget } from '#internal/lab/fleet'
import { answerInNamespace, refusalOfNamespace } from '../support/namespace.js'
import { type Answer, compare, type Request, startFleetProcess, verdictsOf } from '../support/verdicts.mjs'
import { engines, warmManager } from '../support/warm-up.js'

/** Far more targets, and in flight, than any of the limits allows at once. */
const count = process.env.CANCELPOINT_FULL ? 1_000 : 400
const check = { concurrency: 256, attemptTimeoutMs: 400 }

let fleet: Awaited<ReturnType<typeof startFleetProcess>>
let targets: string[]
let fair: Answer

const one = (behaviour: string) => fleet.targets.find((each) => each.behaviour === behaviour)!.target
const atLocalhost = (target: string) => target.replace(/^127\.[\d.]+/, 'localhost')

/**
 * Those that are the same to all who ask: a slow one accepts from the third attempt on, and a reset is seen or not.
 * Few of those that hang, whose time is the test's.
 */
function steady(all: readonly LabTarget[]): string[] {
  let hanging = 0
  const hangs = (behaviour: string) => behaviour === 'hang' || behaviour === 'stall'
  const wanted = all.filter(
    ({ behaviour }) => behaviour !== 'slow' && behaviour !== 'reset' && !(hangs(behaviour) && ++hanging > 10),
  )
  return wanted.map(({ target }) => target)
}

beforeAll(async () => {
  fleet = await startFleetProcess(count)
  targets = steady(fleet.targets)
  targets.push(...targets.slice(0, 20).map(atLocalhost))
  fair = await verdictsOf({ targets, check })
  expect(new Set(fair.verdicts.map(({ status }) => status))).toEqual(new Set(['up', 'down']))
})
afterAll(() => fleet.end())

async function comparison(request: Partial<Request>) {
  const limited = await verdictsOf({ targets, check, warmUp: one('accept'), ...request })
  return { ...compare(fair, limited), ...limited }
}

const honest = { lies: [], missing: 0, failed: null }
const fewDescriptors = { program: ['sh', '-c', 'ulimit -n 64 && exec "$0" "$@"'] }
/** The limit on threads counts a user's, and root has none: the child becomes a user that has no other process. */
const notRoot = process.getuid?.() === 0 ? '' : ', skipped: it takes root to become a user without other processes'

describe.each(engines)('the same fleet gets the same verdicts, %s engine,', (engine) => {
  const manager = { engine }

  it('with 64 descriptors', async () => {
    expect(await comparison({ manager, under: fewDescriptors })).toMatchObject({ ...honest, unknown: 0 })
  })

  it('with none for a while', async () => {
    const found = await comparison({ manager, under: fewDescriptors, exhaustedMs: 500 })
    expect(found).toMatchObject({ ...honest, unknown: 0 })
    expect(found.requeues).toBeGreaterThan(0)
  })

  it.each(['malloc', 'pthread_create', 'socket'])('while %s fails now and then', async (call) => {
    // The few lanes that the nonblocking engine asks for would each meet a fault, which is no now and then.
    const everyMs = call === 'pthread_create' && engine === 'nonblocking' ? 500 : 50
    const found = await comparison({ manager, faults: { call, errno: 'ENOMEM', everyMs } })
    expect(found).toMatchObject(honest)
    // A thread that cannot be had is no matter while another can take its work, or none is needed.
    if (call !== 'pthread_create') expect(found.requeues).toBeGreaterThan(0)
  })
})

describe('the same fleet gets the same verdicts on lanes', () => {
  it('with most lanes busy', async () => {
    const busy = { target: one('hang'), count: 12, attemptTimeoutMs: 3_000 }
    const found = await comparison({ manager: { lanes: 16 }, busy })
    expect(found).toMatchObject({ ...honest, unknown: 0 })
  })

  it('with every lane busy for a while', async () => {
    const busy = { target: one('hang'), count: 16, attemptTimeoutMs: 1_000 }
    expect(await comparison({ manager: { lanes: 16 }, busy })).toMatchObject({ ...honest, unknown: 0 })
  })

  it.skipIf(notRoot)(`with eight threads${notRoot}`, async () => {
    const found = await comparison({ threads: 8 })
    expect(found).toMatchObject({ ...honest, unknown: 0 })
    expect(found.lanes).toBeLessThanOrEqual(9)
  })
})

describe('it gets none', () => {
  it.skipIf(notRoot)(`where no thread is to be had, which is said instead${notRoot}`, async () => {
    const found = await comparison({ threads: 0 })
    expect(found).toMatchObject({ lies: [], failed: 'ERR_POOL_FAILED' })
  })
})

type NamespaceAnswer = { refused: string } | { fair: Answer; limited: Record<(typeof engines)[number], Answer> }

describe('in a namespace of its own the same verdicts', () => {
  const refused = refusalOfNamespace('-Urnm')
  const skipped = refused && `, skipped: ${refused}`
  let answers: Record<string, NamespaceAnswer>

  beforeAll(() => {
    if (!refused) answers = answerInNamespace('-Urnm', 'honest-namespace')
  }, 60_000)

  const limits = [
    ['with 6 of 100 local ports left', 'ports'],
    ['with names that only the hosts file knows, and no descriptor to read it with', 'names'],
    ['with IPv6 switched off', 'ipv6'],
  ] as const
  const each = limits.flatMap(([how, limit]) => engines.map((engine) => [how, engine, limit] as const))

  it.skipIf(refused).for(each)(`%s, %s engine${skipped}`, ([, engine, limit], { skip }) => {
    const answer = answers[limit]!
    if ('refused' in answer) return skip(answer.refused)
    const limited = answer.limited[engine]
    const { lies, missing, unknown } = compare(answer.fair, limited)
    // A name is decided by the addresses in reach: one that listens on ::1 alone is refused by 127.0.0.1 while IPv6 is off.
    const outOfReach = { target: expect.stringMatching(/^localhost:/), status: 'down', errnoClass: 'refused' }
    const expected = limit === 'ipv6' ? { ...honest, lies: [expect.objectContaining(outOfReach)] } : honest
    expect({ lies, missing, failed: limited.failed }).toEqual(expected)
    // Targets that have an IPv6 address alone.
    expect(unknown).toBe(limit === 'ipv6' ? 3 : 0)
    expect(limited.requeues > 0).toBe(limit !== 'ipv6')
  })
})

async function results(options: ManagerOptions, list: readonly string[], of: CheckOptions) {
  await using manager = await warmManager(one('accept'), options)
  const found: CheckResult[] = []
  for await (const result of manager.check(list, of)) found.push(result)
  return found
}

describe('time that was spent waiting for this machine', () => {
  it.each<[RetryPolicy | false]>([[false], [{ tries: 2 }]])(
    'stops the clock of a target: it is up once there is room (retry: %j)',
    async (retry) => {
      await using manager = await warmManager(one('accept'), { engine: 'blocking', lanes: 2 })
      const controller = new AbortController()
      const { signal } = controller
      const holders = [1, 2].map(() => manager.connect(one('hang'), { signal }).catch(() => {}))
      setTimeout(() => controller.abort(), 900)
      const list = [atLocalhost(one('accept')), one('accept')]
      const found: CheckResult[] = []
      for await (const result of manager.check(list, { timeoutMs: 300, retry })) found.push(result)
      expect(found).toMatchObject([{ status: 'up' }, { status: 'up' }])
      await Promise.all(holders)
    },
  )

  it('is told by a connect() whose time it was: a local reason', async () => {
    await using manager = await warmManager(one('accept'), { engine: 'blocking', lanes: 2 })
    const controller = new AbortController()
    const { signal } = controller
    const holders = [1, 2].map(() => manager.connect(one('hang'), { signal }).catch(() => {}))
    const error = await manager.connect(one('accept'), { timeoutMs: 300 }).catch((error) => error)
    expect(error).toMatchObject({ code: 'ETIMEDOUT', errnoClass: 'local', timedOutBy: 'deadline', attempts: [] })
    expect(error.message).toMatch(/ms were spent waiting for this machine; /)
    controller.abort()
    await Promise.all(holders)
  })

  it('in the line of a rate is on nobody’s clock', async () => {
    const list = Array.from({ length: 60 }, (_, i) => atLocalhost(one(i % 2 ? 'accept' : 'refuse')))
    const found = await results({}, list, { ratePerSecond: 40, timeoutMs: 500 })
    const tally = ['up', 'down', 'unknown'].map((status) => found.filter((each) => each.status === status).length)
    expect(tally).toEqual([30, 30, 0])
  })
})
