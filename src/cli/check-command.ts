/** `cancelpoint check`: connects to every target, records, closes, and says what it found. */
import { type Command, Option } from 'commander'
import { checkAttemptTimeoutMs, lanesAtMost } from '../core/limits.js'
import { printable } from '../core/text.js'
import { type Fleet, startFleet } from '../lab/fleet.js'
import { ConnectionManager } from '../manager.js'
import { type CheckResult, type EngineName, engineNames } from '../types.js'
import { countUpTo, durationUpTo, ratePerSecond } from './arguments.js'
import { exitCodes, UsageError } from './exit-code.js'
import { countTargets, type Input, type Problem, readTargets } from './input.js'
import { onInterrupt } from './interrupt.js'
import { standardOutput } from './output.js'
import { type Progress, silent, startProgress } from './progress.js'
import { Report } from './report.js'

interface CheckFlags {
  file?: string[]
  lab?: boolean
  engine: EngineName | 'auto'
  timeout: number
  retries: number
  concurrency?: number
  rate?: number
  halfOpen?: boolean
  allAddresses?: boolean
  json?: boolean
}

const maxTimeoutMs = 10 * 60_000
const maxRetries = 100
const labTargets = 240

/** Input with more targets than this is not read twice just to give the progress bar an end. */
const maxCounted = 200_000

const examples = `
Targets: host:port, 1.2.3.4:80, [::1]:80, unix:/path, unix:@abstract, and ranges: 10.0.0.0/28:80,443 and host:8000-8010.
In a file, one or more a line; # starts a comment.

Examples:
  $ cancelpoint check db.internal:5432 '[::1]:80' unix:/run/app.sock
  $ cancelpoint check --timeout 500ms --concurrency 1000 --file targets.txt
  $ grep -v staging targets.txt | cancelpoint check --json - | jq .status
  $ cancelpoint check --lab

Exit codes: 0 all up, 1 some not, 2 bad usage or input, 130 interrupted by Ctrl-C or SIGTERM; the highest that applies.
`

export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .summary('connect to every target and say which are up')
    .description(
      'Connects to every target, records what happened and closes. Targets come from the arguments, files and ' +
        'standard input (-, or a pipe when no targets are given).',
    )
    .argument('[targets...]', 'what to check; - is standard input')
    .option('-f, --file <file>', 'read targets from a file, - for standard input; may be repeated', collect)
    .option('--lab', 'check the embedded fleet on loopback, which accepts, refuses, hangs and stalls')
    .addOption(
      new Option('--engine <engine>', 'what makes the connects').choices([...engineNames, 'auto']).default('auto'),
    )
    .addOption(
      new Option('--timeout <duration>', 'for one connect: 500ms, 3s, 2m')
        .argParser(durationUpTo(maxTimeoutMs))
        .default(checkAttemptTimeoutMs, `${checkAttemptTimeoutMs / 1000}s`),
    )
    .option('--retries <n>', 'tries after the first, where the errno class allows them', countUpTo(maxRetries, 0), 0)
    .option('--concurrency <n>', 'targets in flight at once', countUpTo(lanesAtMost))
    .option('--rate <n/s>', 'connects started a second, such as 500/s', ratePerSecond)
    .option('--half-open', 'reset in the place of the last ACK, so that listeners never accept')
    .option('--all-addresses', 'one result for each address of a name')
    .option('--json', 'one result a line on standard output, as they finish')
    .addHelpText('after', examples)
    .action(runCheck)
}

async function runCheck(targets: string[], flags: CheckFlags): Promise<void> {
  const interrupt = onInterrupt()
  const output = standardOutput()
  const signal = AbortSignal.any([interrupt, output.gone])
  await using fleet = flags.lab ? await startFleet({ targets: labTargets }) : undefined
  const inputs = inputsOf(targets, flags, fleet)
  const progress = await progressOf(inputs, flags)
  const report = new Report()
  let badInput = false
  const onProblem = ({ where, message }: Problem) => {
    badInput = true
    progress.note(printable(where === undefined ? message : `${where}: ${message}`))
  }
  const startedAt = performance.now()
  try {
    for await (const result of results(readTargets(inputs, { signal, onProblem }), flags, signal)) {
      report.add(result)
      badInput ||= result.code === 'ERR_INVALID_TARGET'
      progress.update(report.summary.total, report.summary.notUp)
      if (flags.json) await output.write(`${JSON.stringify(result)}\n`)
    }
  } finally {
    progress.stop()
  }
  const elapsedMs = performance.now() - startedAt
  const { total, notUp } = report.summary
  if (total === 0 && !badInput && !signal.aborted) throw new UsageError('no targets in the input')
  if (!flags.json && (total > 0 || interrupt.aborted)) {
    await output.write(report.render({ colour: inColour(), elapsedMs, interrupted: interrupt.aborted }))
  }
  await output.finish()
  process.exitCode = exitCode({ interrupted: interrupt.aborted, badInput, notUp })
}

/** The manager's results until there are no more or `signal` aborts; afterwards nothing of the manager is left. */
async function* results(
  targets: AsyncIterable<string>,
  { engine, timeout, retries, concurrency, rate, halfOpen, allAddresses }: CheckFlags,
  signal: AbortSignal,
): AsyncGenerator<CheckResult, void> {
  await using manager = new ConnectionManager({ maxInFlight: concurrency })
  try {
    yield* manager.check(targets, {
      signal,
      engine,
      attemptTimeoutMs: timeout,
      // The whole call leaves room for every try of a name with several addresses.
      timeoutMs: Math.max(30_000, 3 * timeout * (1 + retries)),
      // Retries that somebody asks for by number are all made: no budget.
      retry: retries > 0 && { tries: 1 + retries, budget: Number.POSITIVE_INFINITY },
      concurrency,
      ratePerSecond: rate,
      halfOpen,
      allAddresses,
    })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function inputsOf(targets: readonly string[], { file: files = [] }: CheckFlags, fleet: Fleet | undefined): Input[] {
  const named: Input[] = [
    ...targets.map((text): Input => (text === '-' ? standardInput() : { kind: 'argument', text })),
    ...files.map((path): Input => (path === '-' ? standardInput() : { kind: 'file', path })),
  ]
  if (named.filter(({ kind }) => kind === 'stream').length > 1) {
    throw new UsageError('standard input can be read only once: give - once')
  }
  if (fleet) return [{ kind: 'targets', targets: fleet.targets.map(({ target }) => target) }, ...named]
  if (named.length > 0) return named
  if (process.stdin.isTTY)
    throw new UsageError('no targets: give some, or --file FILE, or --lab (see cancelpoint check --help)')
  return [standardInput()]
}

const standardInput = (): Input => ({ kind: 'stream', name: 'standard input', stream: process.stdin })

async function progressOf(inputs: readonly Input[], flags: CheckFlags): Promise<Progress> {
  // On one terminal the bar and the results would overwrite each other.
  const shown = process.stderr.isTTY && !(flags.json && process.stdout.isTTY)
  return shown ? startProgress(await countTargets(inputs, maxCounted)) : silent
}

function exitCode(outcome: { interrupted: boolean; badInput: boolean; notUp: number }): number {
  if (outcome.interrupted) return exitCodes.interrupted
  if (outcome.badInput) return exitCodes.bad
  return outcome.notUp > 0 ? exitCodes.notUp : exitCodes.ok
}

const inColour = (): boolean => process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR

const collect = (value: string, previous: string[] = []): string[] => [...previous, value]
