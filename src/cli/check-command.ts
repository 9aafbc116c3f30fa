/** `cancelpoint check`: its options and help. What it does is in run-check.ts, which is loaded when it runs. */
import { type Command, Option } from 'commander'
import { checkAttemptTimeoutMs, checkConcurrency, inFlight } from '../core/limits.js'
import { engineNames } from '../types.js'
import { countUpTo, durationUpTo, maxTimeoutMs, ratePerSecond, shardOf } from './arguments.js'
import type { CheckFlags } from './check-flags.js'
import { addFamilyFlags } from './family-flags.js'
import { formatNames } from './formats/format.js'
import { addProbeFlags } from './probe-flags.js'
import { columnsOf, wrapped } from './table.js'

const maxRetries = 100
const maxSeed = 2 ** 32 - 1

const help = `
Targets: host:port, 1.2.3.4:80, [::1]:80, unix:/path, unix:@abstract, and ranges: 10.0.0.0/28:80,443 and host:8000-8010. In a file, one or more a line; # starts a comment. --file also takes Prometheus's file_sd, by its ending (.json, .yml, .yaml) or, elsewhere, by the [{ that it begins with; labels are carried through to the results.

Examples:
  $ cancelpoint check db.internal:5432 '[::1]:80' unix:/app.sock
  $ cancelpoint check --tls --cert-min-days 14 api.internal:443
  $ cancelpoint check --probe postgres --starttls postgres db.internal:5432
  $ cancelpoint check --send 'PING\\r\\n' --expect '^\\+PONG' cache.internal:6379
  $ cancelpoint check --timeout 500ms --file targets.txt
  $ cancelpoint check --json - < targets.txt | jq .status
  $ cancelpoint check --resume results.jsonl --file targets.json
  $ cancelpoint check --shard 1/3 10.0.0.0/16:22
  $ cancelpoint check --config checks.yml
  $ cancelpoint check --format junit --file targets.txt > report.xml
  $ cancelpoint check --lab

--config takes groups in YAML. Each has targets and may have a name, labels, a timeout and a probe; the same at the top level are defaults of the groups. Targets from elsewhere go by the flags:
  timeout: 2s
  groups:
    - targets: [web-1:443, web-2:443]
      labels: { job: web }
      probe: { tls: true, servername: www.internal }
    - targets: [10.0.0.0/28:6379]
      probe:
        steps: [{ send: "PING\\r\\n" }, { expect: PONG }]

Targets are begun in the order written, and ranges take turns with each other and with the rest, each in an order of its own, so that no host and no /24 has all places while others wait. --seed repeats that order.

--shard 2/5 checks the targets of every host that falls to the second of five machines. Each host falls to one, with all its ports, and no machine has to ask another.

--resume FILE keeps a line a result in FILE, as --json prints it. Run again after an interruption, a crash or a SIGKILL, the same command checks only what has no result there; the summary and the exit code count the earlier results too. FILE belongs to one list and to one process at a time. A result is written before it is told, and is on disk a second later: a power failure costs no more.

--retries tries a target again that refuses, does not answer or cannot be reached, and a name whose server fails; a name that does not exist, a denial and a mistake are final.

--probe asks as the service's own clients do: http gets /, redis is sent a PING, smtp and ssh greet, postgres and mysql answer before a login. --send and --expect are steps of your own, in the order given. A pattern is a regular expression without look-around and back-references; its dot matches the ends of lines too.

--close reset leaves nothing behind on either side, but some servers log a reset, count it, ban the client or crash. --close fin ends the connection as most clients do, and keeps a local port in TIME_WAIT for a minute: choose it where a server takes offence, and reset where very many connects go to few endpoints. A server that waits for a login, as MySQL does, may count a connection that says nothing however it is ended.

--format json prints a result a line. A word of the input that is no target has its line too, with code ERR_INVALID_TARGET, and with file and line where it came from one. csv has a header and a row a result. junit is for CI systems; in it down is a failure and unknown an error. nagios is one line with performance data. prometheus is a file for node_exporter's textfile collector. These three are written at the end.

Interrupted (Ctrl-C, SIGTERM, SIGHUP), it cancels what is in flight, prints what there is, and says what was cut off and what was not begun; a second signal kills it.

Exit codes: 0 all up, 1 some not, 2 bad usage or input, 130 interrupted; the highest that applies. With --format nagios: 0 all up, 2 some down, 3 some unknown, bad usage or input, or interrupted, and 1 where certificates are about to expire and nothing else is wrong.
`

export function addCheckCommand(program: Command): void {
  const command = program
    .command('check')
    .summary('connect to every target and say which are up')
    .description(
      'Connects to every target, records what happened and closes. Targets come from the arguments, files and ' +
        'standard input (-, or a pipe when no targets are given).',
    )
    .argument('[targets...]', 'what to check; - is standard input')
    .option('-f, --file <file>', 'read targets from a file, - for standard input; may be repeated', collect)
    .option('--config <file>', 'read groups of targets with labels, probe and timeout from a file in YAML')
    .option('--lab', 'check the embedded fleet on loopback, which accepts, refuses, hangs and stalls')
    .addOption(
      new Option('--engine <engine>', 'what makes the connects').choices([...engineNames, 'auto']).default('auto'),
    )
    .addOption(
      new Option('--timeout <duration>', 'for one try of a target, all of it together: 500ms, 3s, 2m')
        .argParser(durationUpTo(maxTimeoutMs))
        .default(checkAttemptTimeoutMs, `${checkAttemptTimeoutMs / 1000}s`),
    )
    .option(
      '--retries <n>',
      'more tries after one that failed (not for a name that does not exist)',
      countUpTo(maxRetries, 0),
      0,
    )
    .option('--concurrency <n>', 'targets in flight at once', countUpTo(inFlight), checkConcurrency)
    .option('--rate <n/s>', 'connects started a second, such as 500/s', ratePerSecond)
    .addOption(
      new Option('--half-open', 'reset in the place of the last ACK, so that listeners never accept').conflicts([
        'tls',
        'servername',
        'starttls',
        'certMinDays',
        'probe',
        'send',
        'expect',
      ]),
    )
    .option('--all-addresses', 'one result for each address of a name')
    .addOption(
      new Option('--close <how>', 'how a connection is ended (default: reset, and fin where TLS or more was spoken)')
        .choices(['reset', 'fin'])
        .conflicts('halfOpen'),
    )
    .option('--shard <k/n>', 'only the share K of N of the targets, by host: each of N machines takes one', shardOf)
    .option('--seed <s>', 'repeat the order in which ranges are gone through: a whole number', countUpTo(maxSeed, 0))
    .option('--resume <file>', 'keep the results in a file, and check again only what has none there')
    .addOption(new Option('--format <format>', 'how results are written (default: table)').choices(formatNames))
    .option('--json', 'one result a line on standard output, as they finish: --format json')
    .addOption(new Option('--quiet', 'no table and no progress bar: the exit code says it').conflicts('verbose'))
    .option('--verbose', 'tell every target that is not up as it is found (beside other formats on standard error)')
    .addHelpText('after', () => wrapped(help, columnsOf(process.stdout) ?? 80))
    .action(async (targets: string[], flags: CheckFlags) => {
      const { runCheck } = await import('./run-check.js')
      await runCheck(targets, flags)
    })
  addFamilyFlags(command)
  addProbeFlags(command)
}

const collect = (value: string, previous: string[] = []): string[] => [...previous, value]
