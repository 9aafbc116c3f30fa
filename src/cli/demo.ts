/**
 * `npm start`: the main job on real sockets. Checks a fleet, waits for what is slow, cancels what hangs, and counts
 * what is left. Exits with 0 if all was as it should be.
 */
import { readdirSync } from 'node:fs'
import { ledger } from '../bridge/descriptor.js'
import { type Behaviour, type Fleet, type LabTarget, startFleet } from '../lab/fleet.js'
import { ConnectionManager } from '../manager.js'
import type { CheckResult } from '../types.js'
import { Report } from './report.js'
import { table } from './table.js'

const targetCount = 240
/** Under a second, so that one attempt meets one dropped SYN of a slow target. */
const attemptTimeoutMs = 800
const cancelledCount = 200
const cancelAfterMs = 300

/** What a check may say of each behaviour. Whether a reset is seen before the check closes is a race. */
const expected: Record<Behaviour, readonly CheckResult['status'][]> = {
  accept: ['up'],
  refuse: ['down'],
  hang: ['down'],
  stall: ['down'],
  slow: ['down'],
  reset: ['up', 'down'],
}

const surprises: string[] = []

function expect(holds: boolean, what: string): void {
  if (!holds) surprises.push(what)
}

async function main(): Promise<void> {
  // From its first listener on, libuv keeps one descriptor in reserve.
  await (await startFleet({ targets: 1 })).close()
  const descriptorsBefore = openDescriptors()
  const fleet = await startFleet({ targets: targetCount })
  const manager = new ConnectionManager({ engine: 'blocking' })
  try {
    console.log(`${targetCount} targets on loopback: ${tally(fleet.targets.map(({ behaviour }) => behaviour))}\n`)
    await checkFleet(manager, fleet)
    await waitForSlow(manager, fleet)
    await cancelHanging(manager, fleet)
  } finally {
    await manager.close()
    await fleet.close()
  }
  showWhatIsLeft(descriptorsBefore)
  for (const surprise of surprises) console.log(`Not as expected: ${surprise}`)
  process.exitCode = surprises.length === 0 ? 0 : 1
}

/** Every target once, with the table and the summary of `cancelpoint check`. */
async function checkFleet(manager: ConnectionManager, fleet: Fleet): Promise<void> {
  const report = new Report()
  const behaviourOf = new Map(fleet.targets.map(({ target, behaviour }) => [target, behaviour]))
  const startedAt = performance.now()
  for await (const result of check(manager, fleet.targets)) {
    report.add(result)
    const behaviour = behaviourOf.get(result.target)!
    expect(expected[behaviour].includes(result.status), `${result.target} (${behaviour}) is ${result.status}`)
  }
  expect(report.summary.total === targetCount, `${report.summary.total} results for ${targetCount} targets`)
  const colour = process.stdout.isTTY === true && process.stdout.hasColors()
  console.log(report.render({ colour, elapsedMs: performance.now() - startedAt }))
}

/** The slow ones were down; they fail once more, and then they are up. */
async function waitForSlow(manager: ConnectionManager, fleet: Fleet): Promise<void> {
  const slow = fleet.targets.filter(({ behaviour }) => behaviour === 'slow')
  for (const status of ['down', 'up'] as const) {
    const statuses: string[] = []
    for await (const result of check(manager, slow)) statuses.push(result.status)
    console.log(`The ${slow.length} slow ones again: ${tally(statuses)}`)
    expect(
      statuses.every((each) => each === status),
      `the slow ones were to be ${status}`,
    )
  }
}

/** Blocking connects to targets that never answer, all cancelled by one abort. */
async function cancelHanging(manager: ConnectionManager, fleet: Fleet): Promise<void> {
  const hanging = fleet.targets.filter(({ behaviour }) => behaviour === 'hang' || behaviour === 'stall')
  const controller = new AbortController()
  let abortedAt = 0
  const calls = Array.from({ length: cancelledCount }, async (_, index) => {
    const { target } = hanging[index % hanging.length]!
    try {
      const socket = await manager.connect(target, { signal: controller.signal })
      socket.destroy()
      return undefined
    } catch (error) {
      return { latencyMs: performance.now() - abortedAt, code: (error as NodeJS.ErrnoException).code }
    }
  })
  await new Promise((resolve) => setTimeout(resolve, cancelAfterMs))
  const during = ledger()
  abortedAt = performance.now()
  controller.abort()
  const outcomes = await Promise.all(calls)
  const latencies = outcomes.flatMap((outcome) => (outcome?.code === 'ABORT_ERR' ? [outcome.latencyMs] : []))
  latencies.sort((a, b) => a - b)
  expect(latencies.length === cancelledCount, `${latencies.length} of ${cancelledCount} calls were cancelled`)
  const ms = (value: number | undefined) => `${(value ?? Number.NaN).toFixed(2)} ms`
  console.log(
    `\n${cancelledCount} connects to targets that never answer, blocked on ${during.descriptors} lanes and cancelled by one abort():` +
      `\n  from abort() to the rejection, with the descriptor closed: p50 ${ms(latencies[latencies.length >> 1])},` +
      ` max ${ms(latencies.at(-1))}`,
  )
}

function showWhatIsLeft(descriptorsBefore: number): void {
  const left = ledger()
  const descriptorsAfter = openDescriptors()
  console.log('\nWhat is left once the manager is closed')
  console.log(table(Object.entries(left).map(([what, count]) => [what, String(count)])))
  console.log(`  /proc/self/fd: ${descriptorsBefore} before, ${descriptorsAfter} after`)
  expect(
    Object.values(left).every((count) => count === 0),
    'the ledger is not empty',
  )
  expect(descriptorsAfter <= descriptorsBefore, 'more descriptors are open than at the start')
}

const check = (manager: ConnectionManager, targets: readonly LabTarget[]): AsyncIterable<CheckResult> =>
  manager.check(
    targets.map(({ target }) => target),
    { attemptTimeoutMs },
  )

function tally(values: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].map(([value, count]) => `${count} ${value}`).join(', ')
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

await main()
