/** What `cancelpoint watch` does: a list to a watch, its changes to lines, until it is told to end. */
import { clearTimeout, epochMs, setTimeout } from '../../core/clock.js'
import { jsonLine } from '../../core/text.js'
import { ConnectionManager } from '../../manager.js'
import type { HealthChange, WatchOptions } from '../../types.js'
import { recordOf } from '../../watch/record.js'
import type { Watch } from '../../watch/watch.js'
import { exitCodes } from '../exit-code.js'
import { familyOf } from '../family-flags.js'
import { interrupted } from '../interrupt.js'
import { standardOutput } from '../output.js'
import { probeOptionsOf } from '../probe-options.js'
import { messages } from '../progress.js'
import { problemLine } from '../report.js'
import type { WatchFlags } from './flags.js'
import { changeLine, summaryLine } from './lines.js'
import { type Listed, listOf } from './targets.js'

const summaryMs = 60_000

export async function runWatch(words: readonly string[], flags: WatchFlags): Promise<void> {
  const output = standardOutput()
  const signal = AbortSignal.any([interrupted, output.gone])
  const list = await listOf(words, flags, (problem) => messages.note(problemLine(problem)), signal)
  if (signal.aborted) return
  await using manager = new ConnectionManager({ maxInFlight: flags.concurrency })
  const watch = manager.watch(list.targets, { ...optionsOf(flags, list), signal })
  const say = flags.json ? (line: string) => messages.note(line) : (line: string) => void output.write(`${line}\n`)
  const stopSummaries = flags.quiet ? () => {} : summarise(watch, flags, say)
  const colour = process.stdout.isTTY === true && process.stdout.hasColors() && !process.env.NO_COLOR
  try {
    for await (const change of watch) {
      if (flags.json) await output.write(`${jsonLine(recordOf(change))}\n`)
      else if (isNews(change)) await output.write(`${changeLine(change, colour)}\n`)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    stopSummaries()
  }
  if (!flags.json && !flags.quiet) say(summaryLine(watch.summary(), epochMs()))
  process.exitCode = interrupted.reason === 'SIGTERM' ? exitCodes.ok : exitCodes.interrupted
  await output.finish()
}

/** For people it is none that a target is up, as it should be. */
const isNews = ({ from, to }: HealthChange): boolean => from !== 'unknown' || to !== 'up'

/** Once the first checks are over, and then every minute. */
function summarise(watch: Watch, { interval, timeout }: WatchFlags, say: (line: string) => void): () => void {
  let timer = setTimeout(tell, Math.min(interval + timeout, summaryMs))
  function tell() {
    say(summaryLine(watch.summary(), epochMs()))
    timer = setTimeout(tell, summaryMs)
  }
  return () => clearTimeout(timer)
}

function optionsOf({ timeout, ...flags }: WatchFlags, { minCertificateDays }: Listed): WatchOptions {
  return {
    ...(minCertificateDays !== undefined && { minCertificateDays }),
    ...probeOptionsOf(flags),
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
