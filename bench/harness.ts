/**
 * Runs scenarios: every contestant once a round, each time in a fresh process, in an order that rotates from round to
 * round, so that neither warm caches nor a drifting machine favour one. Medians and extremes are over the rounds.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { MissingCompiler, type Peers } from './peers.js'
import { type Contestant, type Metrics, type Scenario, type Settings, Skipped } from './scenario.js'

export interface Result {
  name: string
  /** Round by round; a contestant that was skipped or failed is in none. */
  rounds: Record<string, Metrics>[]
  /** Contestants that did not run, and why. */
  skipped: Record<string, string>
  failed: Record<string, string>
  notes: string[]
}

/** What the contestant's process sends back, once. */
export type Message = { metrics: Metrics } | { skipped: string } | { failed: string }

export interface Assignment {
  scenario: string
  contestant: string
  stage: unknown
  settings: Settings
}

const childFile = fileURLToPath(new URL('./child.js', import.meta.url))
/** Nothing a contestant does takes so long: it hangs. */
const patienceMs = 60_000

export async function runScenario(
  scenario: Scenario,
  settings: Settings,
  peers: Peers,
  progress: (round: number, rounds: number, contestant: string) => void,
): Promise<Result> {
  const result: Result = { name: scenario.name, rounds: [], skipped: {}, failed: {}, notes: [] }
  const rounds = settings.quick ? 1 : scenario.rounds
  const { stage, close } = await scenario.open(settings, peers)
  try {
    for (let round = 0; round < rounds; round++) {
      const measured: Record<string, Metrics> = {}
      for (const contestant of rotated(scenario.contestants(settings), round)) {
        if (contestant.name in result.skipped || contestant.name in result.failed) continue
        progress(round + 1, rounds, contestant.name)
        const message = await runContestant(contestant, { scenario: scenario.name, stage, settings }, peers)
        if ('metrics' in message) measured[contestant.name] = message.metrics
        else if ('skipped' in message) result.skipped[contestant.name] = message.skipped
        else result.failed[contestant.name] = message.failed
      }
      result.rounds.push(measured)
    }
  } finally {
    result.notes.push(...(await close()))
  }
  return result
}

/** Another one goes first in every round, and every second round runs backwards. */
function rotated<T>(items: readonly T[], round: number): T[] {
  const at = round % items.length
  const turned = [...items.slice(at), ...items.slice(0, at)]
  return round % 2 === 0 ? turned : turned.reverse()
}

async function runContestant(
  contestant: Contestant<unknown>,
  { scenario, stage, settings }: Omit<Assignment, 'contestant'>,
  peers: Peers,
): Promise<Message> {
  try {
    requireLimits(contestant.needs ?? 0)
    if (contestant.spawn) return { metrics: await contestant.spawn(stage, settings, peers) }
    return await inProcess({ scenario, contestant: contestant.name, stage, settings })
  } catch (error) {
    if (error instanceof Skipped || error instanceof MissingCompiler) return { skipped: error.message }
    return { failed: (error as Error).stack ?? String(error) }
  }
}

function inProcess(assignment: Assignment): Promise<Message> {
  const child = fork(childFile, { execArgv: ['--expose-gc'] })
  return new Promise<Message>((resolve) => {
    const timer = setTimeout(() => resolve({ failed: `no result within ${patienceMs / 1000} s` }), patienceMs)
    child.once('message', (message: Message) => resolve(message))
    child.once('error', (error) => resolve({ failed: error.message }))
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      resolve({ failed: `its process ended with ${signal ?? code} before it had a result` })
    })
    child.send(assignment)
  }).finally(async () => {
    // Some leave threads behind that nothing but this ends. That is what they are here to show.
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
  })
}

function requireLimits(needs: number): void {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  // Beside the contestant's own: Node's, and those of its threads' bookkeeping.
  const wanted = needs + 100
  for (const name of ['Max open files', 'Max processes']) {
    const soft = new RegExp(`^${name} +(\\S+)`, 'm').exec(limits)?.[1]
    if (soft !== undefined && soft !== 'unlimited' && Number(soft) < wanted)
      throw new Skipped(`needs ${wanted} of '${name.toLowerCase()}', and the limit is ${soft}`)
  }
  const threads = Number(readFileSync('/proc/sys/kernel/threads-max', 'utf8'))
  if (threads < wanted) throw new Skipped(`needs ${wanted} threads, and kernel.threads-max is ${threads}`)
}
