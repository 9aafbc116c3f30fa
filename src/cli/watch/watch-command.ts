/** `cancelpoint watch`: its options and help. What it does is in run-watch.ts, which is loaded when it runs. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  checkAttemptTimeoutMs,
  checkConcurrency,
  fall,
  inFlight,
  intervalAtMostMs,
  rise,
  riseAtMost,
  serve,
  watchIntervalMs,
} from '../../core/limits.js'
import { engineNames } from '../../types.js'
import { countUpTo, durationUpTo, maxTimeoutMs } from '../arguments.js'
import { addFamilyFlags } from '../family-flags.js'
import { addProbeFlags } from '../probe-flags.js'
import { columnsOf, wrapped } from '../table.js'
import type { Listen, WatchFlags } from './flags.js'

const help = `
Targets are those of check: arguments, --file (lines, or Prometheus's file_sd) and --config (groups with labels and probes). - is standard input.

Examples:
  $ cancelpoint watch --interval 5s db.internal:5432 cache.internal:6379
  $ cancelpoint watch --file targets.yml --canary 10.0.0.1:53
  $ cancelpoint watch --config services.yml --listen 127.0.0.1:9464 --state states
  $ cancelpoint watch --config services.yml --json | jq -c '[.target, .to, .reason]'

A target is down after --fall results in a row that say so, and up again after --rise. The first result decides at once; a result that says nothing about the target (unknown) counts for neither. While this process is late, stopped, or short of something, no state changes, and the summary says so.

Printed are changes, one a line, and a summary a minute; a target's first result only where it is not up. With --json every change is a line on standard output, the first ones too, and the rest is said on standard error.

SIGHUP has the files and the configuration read again, and so has a change of one of them. A list with a mistake in it is told and left. --state keeps states across restarts. --webhook tells changes to one URL: a failed message is sent again, and never holds up a check.

--listen serves a status page (/), Prometheus's metrics (/metrics), an API (/api/targets, /api/summary, /events) and /healthz; with --probe-allow also /probe, as blackbox_exporter does. Nobody is asked for a password: leave it on loopback, or put something before it that does.

SIGTERM and Ctrl-C end it: what is under way is cancelled, and nothing is left open. Exit codes: 0 ended by SIGTERM, 2 bad usage or input, 130 by Ctrl-C.
`

const interval = (name: string, says: string) =>
  new Option(`--${name} <duration>`, says).argParser(durationUpTo(intervalAtMostMs))
/** Each is a line of some hundred bytes for every metric. */
const seriesMost = 1_000_000

/** `127.0.0.1:9464`, `[::1]:9464`; port 0 lets the kernel choose. */
function listenAt(text: string): Listen {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('Expected an address and a port, such as 127.0.0.1:9464 or [::1]:9464.')
  return { host, port: Number(port) }
}

const collect = (value: string, previous: string[] = []): string[] => [...previous, value]

export function addWatchCommand(program: Command): void {
  const command = program
    .command('watch')
    .summary('check targets again and again, and tell what changes')
    .description('Checks every target again and again, and tells when one goes down or comes up.')
    .argument('[targets...]', 'what to watch; - is standard input')
    .option('-f, --file <file>', 'read targets from a file, - for standard input; may be repeated', collect)
    .option('--config <file>', 'read groups of targets with labels, probes and time limits from a YAML file')
    .addOption(
      interval('interval', 'from the start of one check of a target to the next').default(watchIntervalMs, '10s'),
    )
    .addOption(interval('fast-interval', 'the same while a change is under way (default: --interval)'))
    .addOption(interval('down-interval', 'the same while a target is down (default: --interval)'))
    .option('--rise <n>', 'results in a row until a target that was down is up', countUpTo(riseAtMost), rise)
    .option('--fall <n>', 'results in a row until a target that was up is down', countUpTo(riseAtMost), fall)
    .option('--canary <target>', 'while no canary is up, what is not up is unknown; may be repeated', collect)
    .addOption(
      new Option('--timeout <duration>', 'for one check of a target, all of it together')
        .argParser(durationUpTo(maxTimeoutMs))
        .default(checkAttemptTimeoutMs, `${checkAttemptTimeoutMs / 1000}s`),
    )
    .addOption(
      new Option('--engine <engine>', 'what makes the connects').choices([...engineNames, 'auto']).default('auto'),
    )
    .option('--concurrency <n>', 'targets in flight at once', countUpTo(inFlight), checkConcurrency)
    .addOption(
      new Option(
        '--close <how>',
        'how a connection is ended (default: reset, and fin where TLS or more was spoken)',
      ).choices(['reset', 'fin']),
    )
    .option('--state <file>', 'keep what is known in this file, and begin with it')
    .option('--webhook <url>', 'post each second’s changes to this URL, signed as Standard Webhooks has it')
    .option('--webhook-secret-file <file>', 'where its secret stands; without it CANCELPOINT_WEBHOOK_SECRET has it')
    .option('--listen <address>', 'serve a page, metrics and an API there, such as 127.0.0.1:9464', listenAt)
    .option('--probe-allow <network>', 'what /probe may be asked to probe, in CIDR notation; may be repeated', collect)
    .option('--series-at-most <n>', 'targets with metrics of their own', countUpTo(seriesMost), serve.seriesAtMost)
    .option('--json', 'one change a line on standard output')
    .option('--quiet', 'no summaries')
  addFamilyFlags(command)
  addProbeFlags(command)
  command
    .addHelpText('after', () => wrapped(help, columnsOf(process.stdout) ?? 80))
    .action(async (targets: string[], flags: WatchFlags) => {
      const { runWatch } = await import('./run-watch.js')
      await runWatch(targets, flags)
    })
}
