/** What `cancelpoint check` does: input to targets, targets to results, results to a report and an exit code. */

import { randomInt } from 'node:crypto'

import { jsonLine } from '../core/text.js'
import { type Fleet, startFleet } from '../lab/fleet.js'
import { ConnectionManager } from '../manager.js'
import type { CheckOptions, CheckResult } from '../types.js'
import type { CheckFlags } from './check-flags.js'
import { exitCodes, UsageError } from './exit-code.js'
import { type Config, readConfig } from './input/config.js'
import type { Readied } from './input/words.js'
import { countTargets, type Input, type Problem, targetsOf } from './input.js'
import { interrupted } from './interrupt.js'
import { standardOutput } from './output.js'
import { probeOptionsOf } from './probe-options.js'
import { messages, type Progress, startProgress } from './progress.js'
import { type Interruption, interruptionText, lineOf, problemLine, Report, recordsOf } from './report.js'
import { isUnread, requireStandardInput } from './standard-input.js'
import { columnsOf, wrapped } from './table.js'

const labTargets = 240

/** What a wait between two tries may take: those of core/retry are mostly shorter. */
const backoffMs = 2_000

/** Input with more targets than this is not read twice just to give the progress bar an end. */
const maxCounted = 200_000

export async function runCheck(targets: readonly string[], flags: CheckFlags): Promise<void> {
  const output = standardOutput()
  const signal = AbortSignal.any([interrupted, output.gone])
  await using fleet = flags.lab ? await startFleet({ targets: labTargets }) : undefined
  const config = await configOf(flags)
  const inputs = inputsOf(targets, flags, fleet, config)
  const progress = await progressOf(inputs, flags)
  const options = optionsOf(flags, config)
  const report = new Report({ resets: endsByReset(options) })
  let badInput = false
  let begun = 0
  const seed = flags.seed ?? randomInt(2 ** 32)

  const onProblem = async (problem: Problem) => {
    badInput = true
    progress.note(problemLine(problem))
    if (flags.json) for (const record of recordsOf(problem)) await output.write(`${jsonLine(record)}\n`)
  }
  async function* taken() {
    for await (const target of targetsOf(inputs, { signal, onProblem, shard: flags.shard, seed })) {
      begun += 1
      yield target
    }
  }
  const tell = async (result: CheckResult) => {
    if (flags.json) await output.write(`${jsonLine(result)}\n`)
    if (!flags.verbose || result.status === 'up') return
    if (flags.json) return progress.note(lineOf(result))
    if (process.stdout.isTTY) progress.makeRoom()
    await output.write(`${wrapped(lineOf(result), columnsOf(process.stdout), '  ')}\n`)
  }

  const startedAt = performance.now()
  try {
    for await (const result of results(taken(), { ...options, signal }, flags.seed)) {
      report.add(result)
      badInput ||= result.code === 'ERR_INVALID_TARGET'
      progress.update(report.summary.total, report.summary.notUp)
      await tell(result)
    }
  } finally {
    progress.stop()
  }
  const elapsedMs = performance.now() - startedAt
  const { total, notUp } = report.summary
  if (total === 0 && !badInput && !signal.aborted) throw new UsageError('no targets in the input')
  const interruption = interrupted.aborted ? await interruptionOf(inputs, flags, begun, total) : undefined
  if (!flags.json && !flags.quiet && (total > 0 || interruption)) {
    const colour = process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR
    const told = flags.verbose === true
    await output.write(report.render({ colour, elapsedMs, columns: columnsOf(process.stdout), interruption, told }))
  } else if (interruption && !flags.quiet) {
    progress.note(`cancelpoint: interrupted: ${total} checked, ${interruptionText(interruption)}`)
  }
  noteUnread(inputs, flags, progress)
  process.exitCode = exitCode({ interrupted: interrupted.aborted, badInput, notUp })
  await output.finish()
}

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
  timeoutMs: timeout * (1 + retries) + retries * backoffMs,
})

/** @throws UsageError */
async function configOf({ config: file, retries, halfOpen }: CheckFlags): Promise<Config | undefined> {
  if (file === undefined) return undefined
  const config = await readConfig(
    file,
    (timeout) => timesOf(timeout, retries),
    (problem) => messages.note(problemLine(problem)),
  )
  if (halfOpen && config.speaks) throw new UsageError('--half-open and the probes of --config exclude each other')
  return config
}

function optionsOf({ timeout, retries, ...flags }: CheckFlags, config: Config | undefined): CheckOptions {
  return {
    minCertificateDays: config?.minCertificateDays,
    ...probeOptionsOf(flags),
    engine: flags.engine,
    ...timesOf(timeout, retries),
    family: flags.ipv4 ? 4 : flags.ipv6 ? 6 : undefined,
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
  { file: files = [] }: CheckFlags,
  fleet: Fleet | undefined,
  config: Config | undefined,
): Input[] {
  const named: Input[] = [
    ...(config ? [{ kind: 'config', config } as const] : []),
    ...targets.map((text): Input => (text === '-' ? standardInput() : { kind: 'argument', text })),
    ...files.map((path): Input => (path === '-' ? standardInput() : { kind: 'file', path })),
  ]
  const streams = named.filter(({ kind }) => kind === 'stream').length
  if (streams > 1) throw new UsageError('standard input can be read only once: give - once')
  if (streams > 0) requireStandardInput()
  if (fleet) return [{ kind: 'targets', targets: fleet.targets.map(({ target }) => target) }, ...named]
  if (named.length > 0) return named
  if (process.stdin.isTTY) {
    throw new UsageError('no targets: give some, or --file FILE, or --lab (see cancelpoint check --help)')
  }
  requireStandardInput()
  return [standardInput()]
}

const standardInput = (): Input => ({ kind: 'stream', name: 'standard input', stream: process.stdin })

async function progressOf(inputs: readonly Input[], flags: CheckFlags): Promise<Progress> {
  if (readsTerminal(inputs))
    messages.note('Reading targets from this terminal, one a line. Ctrl-D at the start of a line ends them.')
  // On one terminal the bar and what is typed, or the results, would overwrite each other.
  const torn = readsTerminal(inputs) || (flags.json && process.stdout.isTTY)
  const shown = process.stderr.isTTY && !['', 'dumb'].includes(process.env.TERM ?? '') && !flags.quiet && !torn
  return shown && !interrupted.aborted ? startProgress(await countTargets(inputs, maxCounted, flags.shard)) : messages
}

const readsTerminal = (inputs: readonly Input[]): boolean =>
  process.stdin.isTTY === true && inputs.some(({ kind }) => kind === 'stream')

/** What the interrupted check has not told about: `begun` were taken up, `done` of them came to a result. */
async function interruptionOf(
  inputs: readonly Input[],
  { shard }: CheckFlags,
  begun: number,
  done: number,
): Promise<Interruption> {
  const total = await countTargets(inputs, maxCounted, shard)
  return { cutOff: begun - done, notBegun: total === undefined ? undefined : Math.max(0, total - begun) }
}

/** Somebody piped targets in, and gave others as arguments: only these were read. */
function noteUnread(inputs: readonly Input[], { quiet }: CheckFlags, progress: Progress): void {
  if (quiet || interrupted.aborted || inputs.some(({ kind }) => kind === 'stream')) return
  if (isUnread()) progress.note('Standard input was not read, for targets were given beside it: add - to read it too.')
}

function exitCode(outcome: { interrupted: boolean; badInput: boolean; notUp: number }): number {
  if (outcome.interrupted) return exitCodes.interrupted
  if (outcome.badInput) return exitCodes.bad
  return outcome.notUp > 0 ? exitCodes.notUp : exitCodes.ok
}
