/** Loaded before a program by --import: what the delay of its event loop was, into the file that the environment names. */
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolution = 5
const delay = monitorEventLoopDelay({ resolution })
delay.enable()
process.once('exit', () => {
  // The monitor's own interval is in it.
  const ms = (percentile: number) => Math.max(0, delay.percentile(percentile) / 1e6 - resolution)
  writeFileSync(process.env.CANCELPOINT_LOOP_DELAY!, JSON.stringify({ p99: ms(99), longest: ms(100) }))
})
