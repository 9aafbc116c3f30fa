/**
 * The Piscina worker: hands reserved attempts to this worker's lanes. No policy, no outcomes: those go from the
 * lane to the environment that reserved the id. When this worker ends, its lanes are cancelled and joined.
 * CommonJS all through: src/bridge/addon.cts says why.
 */
import type { Binding } from '../src/bridge/binding.js' with { 'resolution-mode': 'import' }
import type { LaneSettings } from '../src/engines/blocking.js' with { 'resolution-mode': 'import' }

const { workerData } = require('node:worker_threads')
const binding: Binding = require('../src/bridge/addon.cjs')

const { lanes, stackBytes, idleMs }: LaneSettings = workerData
binding.laneOptions(lanes, stackBytes, idleMs)

/** 0, or a negative errno where no lane can be had; then nothing was started. */
module.exports = function start(ids: Float64Array): number {
  return binding.start(ids)
}
