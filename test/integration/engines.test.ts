import { ledger } from 'cancelpoint'
import { expect, it } from 'vitest'
import type { Outcome } from '#internal/bridge/registry'
import { encodeEndpoint } from '#internal/core/sockaddr'
import { closeEngines, openEngines } from '#internal/engines/engines'
import { engineNames } from '#internal/types'
import { nothingLeft } from '../support/counts.js'
import { useStations } from '../support/stations.js'

const targets = useStations()

it('opens every engine under its name, and closes one before those that it hands attempts to', async () => {
  const engines = openEngines({ lanes: 2, onFailure: () => {} })
  for (const name of engineNames) expect(engines[name].name).toBe(name)
  // With a full backlog the nonblocking engine hands the attempt to a lane, which has it when both are closed.
  const remote = encodeEndpoint({ family: 'unix', path: targets.stall.replace('unix:@', '\0') })
  const outcome = new Promise<Outcome>((resolve) => {
    engines.nonblocking.submit({ family: 'unix', remote, timeoutMs: 0 }, { settle: resolve })
  })
  await expect.poll(() => engines.blocking.load().inFlight).toBe(1)
  await closeEngines(engines)
  expect(await outcome).toMatchObject({ state: 'cancelled' })
  expect(ledger()).toEqual(nothingLeft)
})
