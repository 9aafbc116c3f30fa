/** What `cancelpoint check` does: input to targets, targets to results, results to a report and an exit code. */

import { randomInt } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

import { printable } from '../core/text.js'
import { type Fleet, startFleet } from '../lab/fleet.js'
import { ConnectionManager } from '../manager.js'
import type { CheckOptions, CheckResult } from '../types.js'
import type { CheckFlags } from './check-flags.js'
import { countAside } from './counting.js'
import { exitCodes, UsageError } from './exit-code.js'
import { familyOf } from './family-flags.js'
import type { Format } from './formats/format.js'
import { formatNameOf, formats } from './formats/formats.js'
import { type Config, confusion, readConfig } from './input/config.js'
import type { Readied } from './input/words.js'
import { countTargets, type Input, type Problem, readOnce, targetsOf } from './input.js'
import { interrupted } from './interrupt.js'
import { namedInputs, standardInput } from './named-inputs.js'
import { standardOutput } from './output.js'
import { probeOptionsOf } from './probe-options.js'
import { messages, type Progress, startProgress } from './progress.js'
import { type Interruption, interruptionText, lineOf, problemLine } from './report.js'
import type { Journal } from './resume/journal.js'
import { isUnread, requireStandardInput } from './standard-input.js'
import { Summary } from './summary.js'

const labTargets = 240

/** What a wait between two tries may take: those of core/retry are mostly shorter. */
const backoffMs = 2_000

/** Targets passed over in one turn of the event loop. */
const passedPerTurn = 4_096

/** Input with more targets than this is not read twice just to give the progress bar an end. */
const maxCounted = 200_000

export async function runCheck(targets: readonly string[], flags: CheckFlags): Promise<void> {
  const output = standardOutput()
  const signal = AbortSignal.any([interrupted, output.gone])
  await using fleet = flags.lab ? await startFleet({ targets: labTargets }) : undefined
  const config = await configOf(flags)
  const inputs = inputsOf(targets, flags, fleet, config)
  const options = optionsOf(flags, config)
  const seed = flags.seed ?? randomInt(2 ** 32)
  let progress = messages
  const format = new formats[formatNameOf(flags)]({
    ...flags,
    write: output.write,
    note: (line) => progress.note(line),
    makeRoom: () => progress.makeRoom(),
    resets: endsByReset(options),
  })
  const summary = new Summary()
  const journal = await journalOf(flags, config, inputs, { summary, format, signal })
  const earlier = summary.total
  const ended = new AbortController()
  progress = await progressOf(inputs, flags, format, {
    done: earlier,
    seed,
    signal: AbortSignal.any([signal, ended.signal]),
  })
  progress.update(earlier, summary.notUp)
  let badInput = false
  /** Taken up, and passed over because they have a result. */
  let begun = 0
  let passed = 0

  const onProblem = async (problem: Problem) => {
    badInput = true
    await progress.note(problemLine(problem))
    await format.problem(problem)
  }
  async function* taken() {
    for await (const target of targetsOf(inputs, { signal, onProblem, shard: flags.shard, seed })) {
      if (journal?.has(target)) {
        passed += 1
        // A signal is heard also while there is nothing but such targets.
        if (passed % passedPerTurn === 0) await setImmediate()
        continue
      }
      begun += 1
      yield target
    }
    if (!flags.allAddresses) progress.expect(earlier + begun)
  }

  const startedAt = performance.now()
  let whole = false
  try {
    for await (const result of results(taken(), { ...options, signal }, flags.seed)) {
      journal?.add(result)
      summary.add(result)
      badInput ||= result.code === 'ERR_INVALID_TARGET'
      progress.update(summary.total, summary.notUp)
      await format.result(result)
      if (flags.verbose && !format.forPeople && result.status !== 'up') await progress.note(lineOf(result))
    }
    whole = !signal.aborted
  } finally {
    ended.abort()
    progress.stop()
    journal?.close(whole)
  }
  const elapsedMs = performance.now() - startedAt
  const { total, notUp } = summary
  if (begun + passed === 0 && !badInput && !signal.aborted) throw new UsageError('no targets in the input')
  const interruption = interrupted.aborted
    ? await interruptionOf(inputs, flags, { begun, had: journal?.had ?? 0, done: total - earlier })
    : undefined
  const ending = { summary, elapsedMs, interruption }
  await format.end(ending)
  if (interruption && !format.forPeople && !flags.quiet) {
    await progress.note(`cancelpoint: interrupted: ${total} checked, ${interruptionText(interruption)}`)
  }
  if (journal && journal.left > 0 && whole && !flags.quiet) await progress.note(leftText(journal.left, flags))
  await noteUnread(inputs, flags, progress)
  process.exitCode = format.exitCode?.(ending) ?? exitCode({ interrupted: interruption !== undefined, badInput, notUp })
  await output.finish()
}

interface Taking {
  summary: Summary
  format: Format
  signal: AbortSignal
}

/**
 * Where results are kept; those that it has are in the summary, and in what the format writes at its end.
 * @throws UsageError
 */
async function journalOf(
  { resume, allAddresses = false, quiet }: CheckFlags,
  config: Config | undefined,
  inputs: readonly Input[],
  { summary, format, signal }: Taking,
): Promise<Journal | undefined> {
  if (resume === undefined) return undefined
  const confused = config && confusion(config, inputs.length > 1)
  if (confused) throw new UsageError(confused)
  const { openJournal } = await import('./resume/journal.js')
  const note = (sentence: string) => void messages.note(sentence)
  let taken = Promise.resolve()
  const earlier = (result: CheckResult) => {
    summary.add(result)
    taken = taken.then(() => format.result(result, true))
  }
  const journal = await openJournal(resume, { allAddresses, signal, note, earlier })
  await taken
  const { total } = summary
  if (total > 0 && !quiet) note(`${printable(resume)} has ${counted(total)}: their targets are not checked again.`)
  return journal
}

const counted = (count: number): string => (count === 1 ? '1 result' : `${count.toLocaleString('en')} results`)

const leftText = (left: number, { resume }: CheckFlags): string =>
  `${printable(resume!)} has ${counted(left)} of targets that are not in the input. The summary and the exit code count them too.`

/** The manager's results until there are no more or `signal` aborts; afterwards nothing of the manager is left. */
async function* results(
  targets: AsyncIterable<Readied>,
  options: CheckOptions & { signal: AbortSignal },
  seed: number | undefined,
): AsyncGenerator<CheckResult, void> {
  await using manager = new ConnectionManager({ maxInFlight: options.concurrency, seed })
  try {
    yield* manager.check(targets, options)
  } catch (error) {
    if (!options.signal.aborted) throw error
  }
}

/** Of a target as a whole: as many tries, and the waits between them. */
const timesOf = (timeout: number, retries: number) => ({
  attemptTimeoutMs: timeout,
  tryTimeoutMs: timeout,
  timeoutMs: timeout * (1 + retries) + retries * backoffMs,
})

/** @throws UsageError */
async function configOf({ config: file, retries, halfOpen, certMinDays }: CheckFlags): Promise<Config | undefined> {
  if (file === undefined) return undefined
  const config = await readConfig(
    file,
    (timeout) => timesOf(timeout, retries),
    (problem) => messages.note(problemLine(problem)),
    certMinDays,
  )
  if (halfOpen && config.speaks) throw new UsageError('--half-open and the probes of --config exclude each other')
  return config
}

function optionsOf({ timeout, retries, ...flags }: CheckFlags, config: Config | undefined): CheckOptions {
  return {
    ...probeOptionsOf(flags, config),
    engine: flags.engine,
    ...timesOf(timeout, retries),
    family: familyOf(flags),
    // Retries that somebody asks for by number are all made: no budget.
    retry: retries > 0 && { tries: 1 + retries, budget: Number.POSITIVE_INFINITY },
    concurrency: flags.concurrency,
    ratePerSecond: flags.rate,
    halfOpen: flags.halfOpen,
    allAddresses: flags.allAddresses,
    close: flags.close,
  }
}

/** The default of CheckOptions.close, for the report. A listener never sees a half-open connection, so none is ended for it. */
function endsByReset({ close, halfOpen, tls, steps }: CheckOptions): boolean {
  return !halfOpen && (close ?? (tls || steps ? 'fin' : 'reset')) === 'reset'
}

function inputsOf(
  targets: readonly string[],
  { file: files }: CheckFlags,
  fleet: Fleet | undefined,
  config: Config | undefined,
): Input[] {
  const named = namedInputs(targets, files, config)
  if (fleet) return [{ kind: 'targets', targets: fleet.targets.map(({ target }) => target) }, ...named]
  if (named.length > 0) return named
  if (process.stdin.isTTY) {
    throw new UsageError('no targets: give some, or --file FILE, or --lab (see cancelpoint check --help)')
  }
  requireStandardInput()
  return [standardInput()]
}

interface Beginning {
  /** Targets that have a result already. */
  done: number
  seed: number
  /** Aborts when the check has ended. */
  signal: AbortSignal
}

async function progressOf(
  inputs: readonly Input[],
  flags: CheckFlags,
  format: Format,
  { done, seed, signal }: Beginning,
): Promise<Progress> {
  if (readsTerminal(inputs))
    await messages.note('Reading targets from this terminal, one a line. Ctrl-D at the start of a line ends them.')
  // On one terminal the bar and what is typed, or the results, would overwrite each other.
  const torn = readsTerminal(inputs) || (format.streams && process.stdout.isTTY)
  const shown = process.stderr.isTTY && !['', 'dumb'].includes(process.env.TERM ?? '') && !flags.quiet && !torn
  if (!shown || interrupted.aborted) return messages
  // It is results that are counted as done.
  if (flags.allAddresses) return startProgress(undefined, done)
  const { shard } = flags
  const total = await countTargets(inputs, maxCounted, shard)
  if (total !== undefined || (await Promise.all(inputs.map(readOnce))).includes(true)) return startProgress(total, done)
  const progress = startProgress(undefined, done, maxCounted)
  const counting = countAside(targetsOf(inputs, { signal, shard, seed }), signal)
  void counting.then((count) => count !== undefined && progress.expect(count))
  return progress
}

const readsTerminal = (inputs: readonly Input[]): boolean =>
  process.stdin.isTTY === true && inputs.some(({ kind }) => kind === 'stream')

/** What the interrupted check has not told about: `had` were done before, `begun` were taken up, `done` of them came to a result. */
async function interruptionOf(
  inputs: readonly Input[],
  { shard }: CheckFlags,
  { begun, had, done }: { begun: number; had: number; done: number },
): Promise<Interruption> {
  const total = await countTargets(inputs, maxCounted, shard)
  return { cutOff: begun - done, notBegun: total === undefined ? undefined : Math.max(0, total - begun - had) }
}

/** Somebody piped targets in, and gave others as arguments: only these were read. */
async function noteUnread(inputs: readonly Input[], { quiet }: CheckFlags, progress: Progress): Promise<void> {
  if (quiet || interrupted.aborted || inputs.some(({ kind }) => kind === 'stream')) return
  if (isUnread())
    await progress.note('Standard input was not read, for targets were given beside it: add - to read it too.')
}

function exitCode(outcome: { interrupted: boolean; badInput: boolean; notUp: number }): number {
  if (outcome.interrupted) return exitCodes.interrupted
  if (outcome.badInput) return exitCodes.bad
  return outcome.notUp > 0 ? exitCodes.notUp : exitCodes.ok
}
