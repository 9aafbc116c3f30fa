/**
 * The Piscina worker: opens a group of lanes, which lasts until this worker ends; then its lanes are cancelled and joined. The
 * calling threads hand attempts to the group themselves, and hear of outcomes directly, so nothing passes through here.
 * CommonJS all through: src/bridge/addon.cts says why.
 */
import type { Binding } from '../src/bridge/binding.js' with { 'resolution-mode': 'import' }
import type { LaneGroup, LaneSettings } from '../src/engines/lane-pool.js' with { 'resolution-mode': 'import' }

const { threadId, workerData } = require('node:worker_threads')
const binding: Binding = require('../src/bridge/addon.cjs')

const { lanes, stackBytes, idleMs }: LaneSettings = workerData

module.exports = function open(): LaneGroup {
  return { worker: threadId, number: binding.openLanes(lanes, stackBytes, idleMs) }
}
