/** What /metrics tells of a watch: of each target, and of all of them together. */
import { type Family, labelText, seconds } from '../core/exposition.js'
import type { State } from '../core/health.js'
import { type ProbeSubject, resultFamilies } from '../core/probe-metrics.js'
import type { TargetHealth, WatchSummary } from '../types.js'

/** A target with series of its own; `result`, its last one, is undefined before the first. */
export interface Row {
  readonly series: string
  readonly health: TargetHealth
  readonly result: ProbeSubject['result'] | undefined
  readonly durationMs: number
}

const states: readonly State[] = ['up', 'down', 'unknown']
const stateLabels = states.map((state) => [state, `state="${state}"`] as const)

const isProbed = (row: Row): row is Row & ProbeSubject => row.result !== undefined

const ofProbes = resultFamilies.map(
  (family): Family<Row> => ({
    ...family,
    samples(row, add) {
      if (isProbed(row)) family.samples(row, add)
    },
  }),
)

export const targetFamilies: readonly Family<Row>[] = [
  {
    name: 'cancelpoint_target_state',
    help: 'The state of a target, after rise and fall: 1 for the one that it has, 0 for the others.',
    type: 'gauge',
    samples({ health }, add) {
      for (const [state, label] of stateLabels) add(Number(health.state === state), label)
    },
  },
  {
    name: 'cancelpoint_target_state_since_timestamp_seconds',
    help: 'When the state of a target began, in unixtime.',
    type: 'gauge',
    samples: ({ health }, add) => add(seconds(health.since)),
  },
  {
    name: 'cancelpoint_target_results_in_a_row',
    help: 'Results in a row like the last one, unknown ones left out.',
    type: 'gauge',
    samples: ({ health }, add) => add(health.inARow),
  },
  ...ofProbes,
]

export interface Totals {
  readonly summary: WatchSummary
  readonly withoutSeries: number
  readonly checks: Readonly<Record<State, number>>
  readonly changes: Readonly<Record<State, number>>
  readonly skipped: number
  readonly version: string
}

export const totalFamilies: readonly Family<Totals>[] = [
  {
    name: 'cancelpoint_targets',
    help: 'Targets by their state.',
    type: 'gauge',
    samples({ summary }, add) {
      for (const [state, label] of stateLabels) add(summary[state], label)
    },
  },
  {
    name: 'cancelpoint_targets_without_series',
    help: 'Targets that are up and have no series of their own, because there are too many.',
    type: 'gauge',
    samples: ({ withoutSeries }, add) => add(withoutSeries),
  },
  {
    name: 'cancelpoint_lateness_seconds',
    help: 'How long after they were due checks of the last minute started; the quantile 1 is the longest.',
    type: 'summary',
    samples({ summary: { latenessMs } }, add) {
      add(seconds(latenessMs.p50), 'quantile="0.5"')
      add(seconds(latenessMs.p99), 'quantile="0.99"')
      add(seconds(latenessMs.max), 'quantile="1"')
    },
  },
  {
    name: 'cancelpoint_frozen',
    help: '1 while no state changes, because this process or its machine is in no state to judge.',
    type: 'gauge',
    samples: ({ summary: { frozen } }, add) => add(Number(frozen)),
  },
  {
    name: 'cancelpoint_checks',
    help: 'Results of checks by what they said.',
    type: 'counter',
    samples({ checks }, add) {
      for (const state of states) add(checks[state], `status="${state}"`)
    },
  },
  {
    name: 'cancelpoint_changes',
    help: 'Changes of state, by the new one.',
    type: 'counter',
    samples({ changes }, add) {
      for (const state of ['up', 'down'] as const) add(changes[state], `to="${state}"`)
    },
  },
  {
    name: 'cancelpoint_changes_lost',
    help: 'Changes that were not told, because too many waited.',
    type: 'counter',
    samples: ({ summary: { lostChanges } }, add) => add(lostChanges),
  },
  {
    name: 'cancelpoint_skipped',
    help: 'Checks that were due and not made: the last one was under way, or this process was late by a whole interval.',
    type: 'counter',
    samples: ({ skipped }, add) => add(skipped),
  },
  {
    name: 'cancelpoint_build_info',
    help: 'The version of cancelpoint and of Node.js.',
    type: 'gauge',
    samples({ version }, add) {
      add(1, `${labelText('node', process.versions.node)},${labelText('version', version)}`)
    },
  },
]
