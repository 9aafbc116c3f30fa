/**
 * What `cancelpoint watch` does: a list to a watch, its changes to whoever is told of them, until it is told to end. Then nothing
 * of it is left: no connection, no server, no message that could still be sent.
 */
import { Agent } from '../../adapters/http.js'
import { clearTimeout, epochMs, setTimeout } from '../../core/clock.js'
import { jsonLine, printable } from '../../core/text.js'
import { ConnectionManager } from '../../manager.js'
import { Webhook } from '../../serve/webhook.js'
import type { HealthChange, WatchOptions } from '../../types.js'
import { Changes } from '../../watch/changes.js'
import { recordOf } from '../../watch/record.js'
import type { Watch } from '../../watch/watch.js'
import { exitCodes, UsageError } from '../exit-code.js'
import { familyOf } from '../family-flags.js'
import type { Problem } from '../input.js'
import { interrupted, spareHangUp } from '../interrupt.js'
import { type Output, standardOutput } from '../output.js'
import { messages } from '../progress.js'
import { problemLine } from '../report.js'
import { StateFile } from '../state/file.js'
import type { WatchFlags } from './flags.js'
import { changeLine, summaryLine } from './lines.js'
import { reloading } from './reloading.js'
import { secretFrom } from './secret.js'
import { serverFor } from './serving.js'
import { type Listed, listOf } from './targets.js'

const summaryMs = 60_000

const say = (line: string): void => {
  void messages.note(line)
}

export async function runWatch(words: readonly string[], flags: WatchFlags): Promise<void> {
  const output = standardOutput()
  const signal = AbortSignal.any([interrupted, output.gone])
  const list = await listOf(words, flags, tellProblem, signal)
  if (signal.aborted) return
  await using states = flags.state === undefined ? undefined : await StateFile.open(flags.state, { say })
  await using manager = new ConnectionManager({ maxInFlight: flags.concurrency })
  await using webhook = webhookFor(flags, manager)
  await using watch = manager.watch(list.targets, {
    ...optionsOf(flags),
    ...list.options,
    states: states?.states,
    signal,
  })
  states?.follow(watch)
  await using server = await serverFor(flags, watch, manager, say)
  await using _reloads = reloadsOf(words, flags, list, watch, signal)
  // Who reads standard output slowly, or not at all, holds nobody else up.
  const printed = new Changes()
  const printing = printAll(printed, flags, output)
  const stopSummaries = summarise(watch, printed, flags, output)
  try {
    for await (const change of watch) {
      states?.note(change)
      webhook?.tell(change)
      server?.tell(change)
      printed.add(change)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    stopSummaries()
    printed.end()
  }
  await printing
  process.exitCode = interrupted.reason === 'SIGTERM' ? exitCodes.ok : exitCodes.interrupted
  await output.finish()
}

const tellProblem = (problem: Problem): void => say(problemLine(problem))

async function printAll(changes: Changes, flags: WatchFlags, output: Output): Promise<void> {
  for (let change = await changes.take(); change; change = await changes.take()) await print(change, flags, output)
}

async function print(change: HealthChange, { json }: WatchFlags, output: Output): Promise<void> {
  if (json) await output.write(`${jsonLine(recordOf(change))}\n`)
  else if (isNews(change)) await output.write(`${changeLine(change, hasColour())}\n`)
}

/** For people it is none that a target is up, as it should be. */
const isNews = ({ from, to }: HealthChange): boolean => from !== 'unknown' || to !== 'up'

const hasColour = (): boolean => process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR

/** Once the first checks are over, and then every minute. */
function summarise(
  watch: Watch,
  printed: Changes,
  { interval, timeout, json, quiet }: WatchFlags,
  output: Output,
): () => void {
  if (quiet) return () => {}
  let timer = setTimeout(tellSummary, Math.min(interval + timeout, summaryMs))
  function tellSummary() {
    const { lostChanges, ...summary } = watch.summary()
    const line = summaryLine({ ...summary, lostChanges: lostChanges + printed.lost }, epochMs())
    if (json) say(line)
    else void output.write(`${line}\n`)
    timer = setTimeout(tellSummary, summaryMs)
  }
  return () => clearTimeout(timer)
}

/** @throws UsageError for the URL and the secret */
function webhookFor({ webhook: url, webhookSecretFile }: WatchFlags, manager: ConnectionManager): Webhook | undefined {
  if (url === undefined) {
    if (webhookSecretFile !== undefined) throw new UsageError('--webhook-secret-file is for --webhook: add its URL')
    return undefined
  }
  const secret = secretFrom(webhookSecretFile)
  try {
    return new Webhook({ url, secret, agent: new Agent({ manager }), say })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The inputs are read again on SIGHUP, and when a file of theirs changes. Those of standard input cannot be. */
function reloadsOf(words: readonly string[], flags: WatchFlags, list: Listed, watch: Watch, signal: AbortSignal) {
  const files = [...(flags.file ?? []), ...(flags.config === undefined ? [] : [flags.config])]
  if (files.length === 0 || [...words, ...files].includes('-')) return undefined
  const reloads = reloading({
    files,
    read: async () => {
      const problems: Problem[] = []
      try {
        const { targets } = await listOf(words, flags, (problem) => problems.push(problem), signal)
        return { entries: targets }
      } catch (error) {
        return { problems: problems.length > 0 ? problems : [{ message: printable((error as Error).message) }] }
      }
    },
    apply: (targets) => watch.replace(targets),
    say,
    signal,
    current: list.targets,
  })
  spareHangUp()
  return reloads
}

function optionsOf({ timeout, ...flags }: WatchFlags): WatchOptions {
  return {
    engine: flags.engine,
    family: familyOf(flags),
    timeoutMs: timeout,
    attemptTimeoutMs: timeout,
    concurrency: flags.concurrency,
    close: flags.close,
    intervalMs: flags.interval,
    fastIntervalMs: flags.fastInterval,
    downIntervalMs: flags.downInterval,
    rise: flags.rise,
    fall: flags.fall,
    canaries: flags.canary,
  }
}
