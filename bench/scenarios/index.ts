/** Every scenario, in the order they run. */
import type { Scenario } from '../scenario.js'
import { abortAll } from './abort-all.js'
import { cancelLatency } from './cancel-latency.js'
import { connectRate, refuseRate } from './connect-rate.js'
import { deadAddress } from './dead-address.js'
import { memory } from './memory.js'
import { naive } from './naive.js'
import { retryStorm } from './retry-storm.js'
import { singleCall } from './single-call.js'

export const scenarios = [
  cancelLatency,
  abortAll,
  memory,
  connectRate,
  refuseRate,
  singleCall,
  deadAddress,
  retryStorm,
  naive,
] as Scenario[]
