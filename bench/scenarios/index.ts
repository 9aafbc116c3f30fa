/** Every scenario, in the order they run. */
import type { Scenario } from '../scenario.js'
import { abortAll } from './abort-all.js'
import { cancelLatency } from './cancel-latency.js'
import { connectRate, refuseRate } from './connect-rate.js'
import { deadAddress } from './dead-address.js'
import { fetches } from './fetch.js'
import { lookups } from './lookups.js'
import { memory } from './memory.js'
import { naive } from './naive.js'
import { type ScenarioName, scenarioNames } from './names.js'
import { retryStorm } from './retry-storm.js'
import { scale } from './scale.js'
import { sideBySide } from './side-by-side.js'
import { singleCall } from './single-call.js'
import { tlsProbes } from './tls-probes.js'
import { watching } from './watch.js'

const byName: Record<ScenarioName, unknown> = {
  'cancel-latency': cancelLatency,
  'abort-all': abortAll,
  memory,
  'connect-rate': connectRate,
  'refuse-rate': refuseRate,
  'single-call': singleCall,
  fetch: fetches,
  'tls-probes': tlsProbes,
  'dead-address': deadAddress,
  'retry-storm': retryStorm,
  scale,
  lookups,
  watch: watching,
  naive,
  'side-by-side': sideBySide,
}

export const scenarios = scenarioNames.map((name) => byName[name] as Scenario)
