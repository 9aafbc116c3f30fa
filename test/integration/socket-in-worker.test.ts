/** Sockets at once in worker threads: destroyed while they connect, or left to a worker that ends. */
import { expect, it } from 'vitest'
import { runFixture } from '../support/child.js'
import { useStations } from '../support/stations.js'

const targets = useStations()

it('leaves nothing, whether its sockets are destroyed or the worker ends', async () => {
  const { stdout, stderr, code } = await runFixture('at-once-worker', JSON.stringify(targets))
  expect({ stdout, stderr, code }).toEqual({ stdout: 'done\n', stderr: '', code: 0 })
})
