/** What a watch is given, read as a whole: a list of which some cannot be read is no list. */

import { PlannedTarget } from '../../check/planned-target.js'
import { UsageError } from '../exit-code.js'
import { readConfig } from '../input/config.js'
import { type Problem, targetsOf } from '../input.js'
import { namedInputs } from '../named-inputs.js'
import type { ProbeFlags } from '../probe-flags.js'
import { type ProbeOptions, probeOptionsOf } from '../probe-options.js'
import type { WatchFlags } from './flags.js'

export interface Listed {
  targets: readonly PlannedTarget[]
  /** What is done to those that say nothing of it themselves. */
  options: ProbeOptions
}

/** @throws UsageError where there is nothing to watch, or where something cannot be read; `tell` has heard what. */
export async function listOf(
  words: readonly string[],
  flags: Pick<WatchFlags, 'file' | 'config'> & ProbeFlags,
  tell: (problem: Problem) => void,
  signal?: AbortSignal,
): Promise<Listed> {
  const { file: files, config: configFile, certMinDays } = flags
  const config = configFile === undefined ? undefined : await readConfig(configFile, timesOf, tell, certMinDays)
  const options = probeOptionsOf(flags, config)
  const inputs = namedInputs(words, files, config)
  if (inputs.length === 0)
    throw new UsageError('no targets: give some, or --file FILE, or --config FILE (see cancelpoint watch --help)')
  const targets: PlannedTarget[] = []
  let problems = 0
  const onProblem = (problem: Problem) => {
    problems += 1
    tell(problem)
  }
  for await (const target of targetsOf(inputs, { onProblem, signal }))
    targets.push(PlannedTarget.is(target) ? target : new PlannedTarget(target))
  if (problems > 0)
    throw new UsageError(problems === 1 ? 'the list has a mistake' : `the list has ${problems} mistakes`)
  if (targets.length === 0 && !signal?.aborted) throw new UsageError('no targets in the input')
  return { targets, options }
}

/** A group's own limit: for one connect, and for all of it. */
const timesOf = (timeoutMs: number) => ({ timeoutMs, attemptTimeoutMs: timeoutMs })
