/**
 * The Piscina worker: hands reserved attempts to this worker's lanes. No policy, no outcomes: those go from the
 * lane to the environment that reserved the id. When this worker ends, its lanes are cancelled and joined.
 *
 * CommonJS, because Piscina tries require() first, and a worker that is ended within a require() of an ES module aborts
 * the process, by assertions of Node 20's, 22's and 26's. Within an import() it just ends.
 */
import type { LaneSettings } from '../src/engines/blocking.js' with { 'resolution-mode': 'import' }

const { workerData } = require('node:worker_threads')
const loaded = load(workerData)

/** 0, or a negative errno where no lane can be had; then nothing was started. */
async function start(ids: Float64Array): Promise<number> {
  const { binding } = await loaded
  return binding.start(ids)
}

async function load({ lanes, stackBytes, idleMs }: LaneSettings): Promise<typeof import('../src/binding.js')> {
  const module = await import('../src/binding.js')
  module.binding.laneOptions(lanes, stackBytes, idleMs)
  return module
}

module.exports = start
