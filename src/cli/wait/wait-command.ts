/** `cancelpoint wait`: its options and help. What it does is in run-wait.ts, which is loaded when it runs. */
import { type Command, Option } from 'commander'
import { waitIntervalMs, waitTargetsAtMost, waitTimeoutMs } from '../../core/limits.js'
import { durationUpTo } from '../arguments.js'
import { UsageError } from '../exit-code.js'
import { addFamilyFlags } from '../family-flags.js'
import { addProbeFlags } from '../probe-flags.js'
import { columnsOf, wrapped } from '../table.js'
import type { WaitFlags } from './flags.js'

const maxTimeoutMs = 24 * 60 * 60_000
const maxIntervalMs = 10 * 60_000

const help = `
Targets: host:port, 1.2.3.4:80, [::1]:80, [fe80::1%eth0]:80, unix:/path, unix:@abstract, and ranges such as host:8000-8003; ${waitTargetsAtMost.toLocaleString('en')} at most.

Examples:
  $ cancelpoint wait db:5432 redis:6379 -- npm start
  $ cancelpoint wait --timeout 2m --probe postgres db:5432 -- npm run migrate
  $ cancelpoint wait --quiet unix:/run/app.sock && echo up
  $ cancelpoint wait --reverse localhost:3000 -- npm run dev

A target that was up once need not stay up until the others are. A name that does not exist yet, a path that does not exist yet and a denial are waited for; a mistake, such as a target that cannot be read, is told at once. A target that refuses is tried again after --interval, a name each second; one that does not answer or cannot be reached ever more slowly, from half a second to five.

With --reverse a target counts as down if the connection is refused, nobody answers, there is no way to it, its path or its name does not exist. What is unknown is not down.

The command gets this process's standard input, output and error, its environment, and the signals that are sent to this process. No shell is between the two.

Exit codes: the command's own, 128 and its number for a signal that killed it; 0 without a command; 1 timed out, 2 bad usage or input, 126 the command cannot be run, 127 there is no such command, 130 interrupted before the command ran.
`

export function addWaitCommand(program: Command): void {
  const command = program
    .command('wait')
    .summary('wait until every target is up, then run a command')
    .usage('[options] <targets...> [-- command]')
    .description(
      'Waits until every target has been up (with --reverse, down), and then runs the command, if there is one.',
    )
    .argument('[targets...]', 'what to wait for')
    .addOption(
      new Option('--timeout <duration>', 'give up after this time: 500ms, 3s, 2m')
        .argParser(durationUpTo(maxTimeoutMs))
        .default(waitTimeoutMs, `${waitTimeoutMs / 1000}s`),
    )
    .addOption(
      new Option('--interval <duration>', 'between two tries of a target that refuses')
        .argParser(durationUpTo(maxIntervalMs))
        .default(waitIntervalMs, `${waitIntervalMs}ms`),
    )
    .option('--reverse', 'wait until every target is down')
    .option('--quiet', 'say nothing but what is wrong with the usage or the command: the exit code says it')
  addFamilyFlags(command)
  addProbeFlags(command)
  command
    .addHelpText('after', () => wrapped(help, columnsOf(process.stdout) ?? 80))
    .action(async (operands: string[], flags: WaitFlags) => {
      const [targets, line] = split(operands, process.argv)
      const { runWait } = await import('./run-wait.js')
      await runWait(targets, line, flags)
    })
}

/** Commander takes the first `--` away. What came after it in argv are the last of the operands, whatever they look like. */
function split(operands: readonly string[], argv: readonly string[]): [targets: string[], line: string[] | undefined] {
  const at = argv.indexOf('--')
  if (at < 0) return [[...operands], undefined]
  const line = argv.slice(at + 1)
  if (!line[0]) throw new UsageError('no command after --: give one, or leave -- out')
  return [operands.slice(0, operands.length - line.length), line]
}
