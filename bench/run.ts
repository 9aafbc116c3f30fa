/** A run of the benchmark: scenarios to a report. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../src/cli/exit-code.js'
import { targetsOf } from '../src/cli/input.js'
import { printable } from '../src/core/text.js'
import { ConnectionManager } from '../src/index.js'
import { type Result, runScenario } from './harness.js'
import { describeMachine } from './machine.js'
import type { Flags } from './main.js'
import { Peers } from './peers.js'
import { figuresText, machineText, scenarioText } from './report.js'
import type { Scenario, Settings } from './scenario.js'
import { scenarios } from './scenarios/index.js'
import { type Summary, summarise } from './summary.js'

/** 0, or 1 where a contestant failed. A missed aim is no failure: machines differ. */
export async function run({ targets, scenario: chosen, out, quick = false }: Flags): Promise<number> {
  if (out !== undefined) await mkdir(out, { recursive: true })
  const settings: Settings = { quick, ...(targets === undefined ? {} : { targets: await upOf(targets) }) }
  const machine = await describeMachine()
  console.log(`${machineText(machine)}\n`)
  await using peers = await Peers.open()
  const results: { result: Result; summary: Summary }[] = []
  for (const scenario of picked(chosen, settings)) {
    const result = await runScenario(scenario, settings, peers, showProgress(scenario))
    clearProgress()
    const summary = summarise(scenario, result, settings)
    results.push({ result, summary })
    console.log(`${scenarioText(scenario, result, summary)}\n`)
  }
  console.log(figuresText(results.map(({ summary }) => summary)))
  if (quick) console.log('\n  --quick tests the benchmark itself: nothing is judged by one short round.')
  if (out !== undefined) {
    const path = join(out, 'bench.json')
    await writeFile(path, `${JSON.stringify({ machine, settings, scenarios: results }, null, 2)}\n`)
    console.log(`\nEvery round is in ${path}.`)
  }
  return results.some(({ result }) => Object.keys(result.failed).length > 0) ? 1 : 0
}

function picked(chosen: readonly string[] | undefined, { targets }: Settings): Scenario[] {
  return scenarios.filter(({ name, takesTargets }) => {
    if (chosen) return chosen.includes(name)
    return targets === undefined || takesTargets
  })
}

/** The file's targets that are up: what refuses or hangs has no connect to measure. */
async function upOf(path: string): Promise<string[]> {
  const unread = ({ where, message }: { where: string | undefined; message: string }) =>
    console.error(printable(`${where}: ${message}`))
  await using manager = new ConnectionManager()
  const up: string[] = []
  let checked = 0
  for await (const { target, status } of manager.check(targetsOf([{ kind: 'file', path }], { onProblem: unread }))) {
    checked++
    if (status === 'up') up.push(target)
  }
  if (up.length === 0) throw new UsageError(`none of the ${checked} targets in ${path} is up`)
  console.error(`${up.length} of ${checked} targets in ${path} are up and take part.`)
  return up
}

function showProgress({ name }: Scenario): (round: number, rounds: number, contestant: string) => void {
  if (!process.stderr.isTTY) return () => {}
  return (round, rounds, contestant) =>
    process.stderr.write(`\r\u001b[K${name}, round ${round} of ${rounds}: ${contestant}`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}
