/** The benchmark: argv to a run. `npm run bench` and `cancelpoint bench` both end here. */
import { Command, Option } from 'commander'
import { exitCodes } from '../src/cli/exit-code.js'
import { failuresOf } from '../src/cli/failure.js'
import { scenarioNames } from './scenarios/names.js'

export interface Flags {
  targets?: string
  scenario?: string[]
  out?: string
  quick?: boolean
}

const fail = failuresOf('cancelpoint bench')

const program = new Command('cancelpoint bench')
  .description(
    "Measures both engines' connects and their cancellation on this machine, beside net.connect, undici and bare C.",
  )
  .option('--targets <file>', 'connect to the targets in this file instead of a loopback server')
  .addOption(new Option('--scenario <name...>', 'only these').choices(scenarioNames))
  .option('--out <directory>', 'write every round as JSON to bench.json in it')
  .option('--quick', 'a test of the benchmark itself, a minute at most: everything runs, and no figure is judged')
  .allowExcessArguments(false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.ok : exitCodes.bad))
  .parse()

try {
  const { run } = await import('./run.js')
  process.exitCode = await run(program.opts<Flags>())
} catch (error) {
  fail(error)
}
