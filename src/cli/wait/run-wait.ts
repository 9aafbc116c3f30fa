/** What `cancelpoint wait` does: targets are tried until each was what it is waited for; then the command runs. */
import { clearTimeout, performance, setTimeout } from '../../core/clock.js'
import { checkAttemptTimeoutMs, waitNamesMs, waitTargetsAtMost, waitTryMs } from '../../core/limits.js'
import type { ReadTarget } from '../../core/target.js'
import { printable } from '../../core/text.js'
import { isMistake, Waiting } from '../../core/waiting.js'
import { ConnectionManager } from '../../manager.js'
import type { CheckOptions, CheckResult } from '../../types.js'
import { exitCodes, UsageError } from '../exit-code.js'
import { familyOf } from '../family-flags.js'
import { interrupted } from '../interrupt.js'
import { probeOptionsOf } from '../probe-options.js'
import { messages } from '../progress.js'
import { columnsOf } from '../table.js'
import { DueTargets } from './due-targets.js'
import type { WaitFlags } from './flags.js'
import { startLine } from './line.js'
import { beginning, ending, shortfall } from './report.js'
import { runCommand } from './run-command.js'
import { targetsIn } from './targets.js'

export async function runWait(
  words: readonly string[],
  command: readonly string[] | undefined,
  flags: WaitFlags,
): Promise<void> {
  const options: CheckOptions = { ...probeOptionsOf(flags), family: familyOf(flags) }
  const { targets, faults } = targetsIn(words)
  if (faults.length > 0) {
    for (const fault of faults) messages.note(printable(fault))
    if (!command) messages.note('A command goes after --: cancelpoint wait TARGET ... -- COMMAND ...')
    process.exitCode = exitCodes.bad
    return
  }
  const say = flags.quiet ? () => {} : (text: string) => messages.note(text)
  const goal = flags.reverse ? 'down' : 'up'
  const waiting = new Waiting(targets.keys(), { goal, intervalMs: flags.interval }, performance.now())
  const line = flags.quiet ? undefined : startLine(waiting, flags.timeout)
  if (!line) say(beginning(waiting, flags.timeout))
  try {
    await waitFor(waiting, targets, { ...options, timeout: flags.timeout })
  } finally {
    line?.stop()
  }
  const now = performance.now()
  if (waiting.done) {
    say(ending(waiting, now))
    if (command) process.exitCode = await runCommand(command)
    return
  }
  if (!flags.quiet) {
    process.stderr.write(
      `${shortfall(waiting, { now, interrupted: interrupted.aborted, columns: columnsOf(process.stderr) })}\n`,
    )
  }
  process.exitCode = interrupted.aborted ? exitCodes.interrupted : exitCodes.notUp
}

/**
 * Ends when all are what they are waited for, when the time is over, and when the process is interrupted. Nothing is left of
 * it then: no attempt, no descriptor, no thread.
 * @throws UsageError for a mistake that only a try could find.
 */
async function waitFor(
  waiting: Waiting,
  targets: ReadonlyMap<string, ReadTarget>,
  { timeout, ...options }: CheckOptions & { timeout: number },
): Promise<void> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), timeout)
  const signal = AbortSignal.any([interrupted, over.signal])
  const due = new DueTargets(waiting, targets)
  try {
    // Each target has a place, so that one that hangs holds up no other; on a lane, too.
    await using manager = new ConnectionManager({ lanes: waitTargetsAtMost, nameCacheMs: waitNamesMs })
    const results = manager.check(due, {
      ...options,
      concurrency: targets.size,
      attemptTimeoutMs: checkAttemptTimeoutMs,
      timeoutMs: waitTryMs,
      // A service that has just come up is not to be hurt by a reset, and the connections are few.
      close: 'fin',
      signal,
    })
    for await (const result of results) {
      waiting.heard(result.target, result, performance.now())
      if (isMistake(result)) throw new UsageError(mistakeOf(result))
      if (waiting.done) break
      due.look()
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
}

const mistakeOf = ({ target, code, reason }: CheckResult): string =>
  printable(`${target} cannot be waited for: ${code}: ${reason}`)
