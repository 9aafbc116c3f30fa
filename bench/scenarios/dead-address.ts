/** A name whose first address never answers: how long until the second one takes the connect. */
import { once } from 'node:events'
import { connect, type LookupFunction } from 'node:net'
import * as limits from '../../src/core/limits.js'
import { ConnectionManager } from '../../src/index.js'
import { type Contestant, type Scenario, type Settings, stageOf } from '../scenario.js'
import { openDeadAndAlive } from '../setup/servers.js'
import { percentiles } from '../statistics.js'

interface DeadAddress {
  port: number
  /** In the order of the look-up. */
  addresses: readonly string[]
}

const again = 'connect(), the name known'
const first = 'connect()'
const node = 'net.connect, autoSelectFamily'

export const deadAddress: Scenario<DeadAddress> = {
  name: 'dead-address',
  about:
    'A name with two addresses, of which the first hangs and the second accepts: from the call to the connected socket.\n' +
    `Both wait ${limits.attemptDelayMs} ms before the second attempt. A name known is one whose living address was found before.`,
  rounds: 5,
  columns: [
    { key: 'p50', title: 'p50', unit: 'ms', digits: 2 },
    { key: 'p99', title: 'p99', unit: 'ms', digits: 2 },
  ],
  figures: [
    {
      says: `connect() to a name with one dead address, beyond the attempt delay of ${limits.attemptDelayMs} ms: p50`,
      unit: 'ms',
      digits: 2,
      under: 10,
      of: (value) => {
        const p50 = value(first, 'p50')
        return p50 === undefined ? undefined : p50 - limits.attemptDelayMs
      },
    },
  ],
  open: async () => stageOf(await openDeadAndAlive()),
  contestants: () => [
    { name: first, run: overManager((i) => `name-${i}.test`) },
    { name: again, run: overManager(() => 'name.test') },
    { name: node, run: throughNode },
  ],
}

function overManager(nameOf: (index: number) => string): Contestant<DeadAddress>['run'] {
  return async ({ port, addresses }, settings) => {
    await using manager = new ConnectionManager({ lookup: async () => [...addresses] })
    return await latencyOf(settings, async (index) => {
      const descriptor = await manager.open({ host: nameOf(index), port })
      return () => descriptor.close()
    })
  }
}

async function throughNode({ port, addresses }: DeadAddress, settings: Settings) {
  const found = addresses.map((address) => ({ address, family: 4 }))
  const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, found)
  return await latencyOf(settings, async () => {
    const socket = connect({ host: 'name.test', port, lookup, autoSelectFamily: true })
    await once(socket, 'connect')
    return () => socket.resetAndDestroy()
  })
}

async function latencyOf({ quick }: Settings, call: (index: number) => Promise<() => void>) {
  const samples = quick ? 2 : 12
  const latencies: number[] = []
  // The first one warms up.
  for (let i = 0; i <= samples; i++) {
    const startedAt = performance.now()
    const close = await call(i)
    if (i > 0) latencies.push(performance.now() - startedAt)
    close()
  }
  return percentiles(latencies)
}
