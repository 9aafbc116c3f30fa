/**
 * The Piscina worker: hands reserved attempts to this worker's lanes. No policy, no outcomes: those go from the
 * lane to the environment that reserved the id. When this worker ends, its lanes are cancelled and joined.
 */
import { workerData } from 'node:worker_threads'

import { binding } from '../src/binding.js'
import type { LaneSettings } from '../src/engines/blocking.js'

const { lanes, stackBytes, idleMs } = workerData as LaneSettings
binding.laneOptions(lanes, stackBytes, idleMs)

/** 0, or a negative errno where no lane can be had; then nothing was started. */
export default function start(ids: Float64Array): number {
  return binding.start(ids)
}
