/** How connects a second are counted: loops that go on until their time is over. */
import { readFileSync } from 'node:fs'
import { type Metrics, micro, type Settings } from './scenario.js'

export const inFlight = 256

export interface Clock {
  over: boolean
  done: number
}

/** Connects over and over until `over`, and counts what is done. */
export type Loop = (targets: readonly string[], clock: Clock) => Promise<void>

export const durations = ({ quick }: Settings) => (quick ? { warmUpMs: 200, ms: 200 } : { warmUpMs: 500, ms: 1_500 })

export async function rateOf(loop: Loop, targets: readonly string[], settings: Settings): Promise<Metrics> {
  const clock: Clock = { over: false, done: 0 }
  const [metrics] = await Promise.all([measure(clock, settings), loop(targets, clock)])
  return metrics
}

/** Ends the loop, too. */
async function measure(clock: Clock, settings: Settings): Promise<Metrics> {
  const { warmUpMs, ms } = durations(settings)
  await after(warmUpMs)
  const [done, startedAt, cpu, main] = [clock.done, performance.now(), process.cpuUsage(), mainThreadMs()]
  // On a busy machine nothing may be done in the smoke run's time; who never does anything is the harness's to end.
  do await after(ms)
  while (clock.done === done)
  const count = clock.done - done
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedAt) / 1000
  clock.over = true
  const mainUs = ((mainThreadMs() - main) * micro) / count
  return { perSecond: count / seconds, cpuUs: (user + system) / count, mainUs }
}

/** CPU time of the thread that runs JavaScript: proc_pid_schedstat(5), whose first number is in nanoseconds. */
function mainThreadMs(): number {
  return Number.parseInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1'), 10) / 1e6
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The targets in turn, until it is over. */
export function* turns<T>(targets: readonly T[], clock: Clock): Generator<T> {
  for (let at = 0; !clock.over; at = (at + 1) % targets.length) yield targets[at]!
}

/** `inFlight` loops of calls, one after another each. */
export async function loops<T>(
  targets: readonly T[],
  clock: Clock,
  call: (target: T) => Promise<unknown>,
): Promise<void> {
  const source = turns(targets, clock)
  const loop = async () => {
    for (const target of { [Symbol.iterator]: () => ({ next: () => source.next() }) }) {
      await call(target)
      clock.done++
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
}
