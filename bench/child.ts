/** A contestant's own process: runs one round of it and sends what it measured. */
import type { Assignment, Message } from './harness.js'
import { Skipped } from './scenario.js'
import { scenarios } from './scenarios/index.js'

process.once('message', async ({ scenario: name, contestant: which, stage, settings }: Assignment) => {
  const scenario = scenarios.find((each) => each.name === name)!
  const contestant = scenario.contestants(settings).find((each) => each.name === which)!
  let message: Message
  try {
    message = { metrics: await contestant.run!(stage, settings) }
  } catch (error) {
    message =
      error instanceof Skipped ? { skipped: error.message } : { failed: (error as Error).stack ?? String(error) }
  }
  process.send!(message, () => process.disconnect())
})

// The harness is gone: nobody wants the result.
process.once('disconnect', () => process.exit())
