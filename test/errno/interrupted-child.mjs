// @ts-check
/**
 * Is stopped and continued all the while (recipes.ts): with SO_SNDTIMEO set that interrupts a connect even on a lane, where
 * every signal is blocked.
 */
import { ConnectionManager } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { observe, observeConnect, observeOpen, resultOf, targetOf, warmUp } from './observe.mjs'

/** A patient connect to a listener that never has room. @type {(domain: 'inet' | 'unix') => import('./observe.mjs').Prepare} */
const patient = (domain) => async (sockets) => {
  const address = await sockets.full(domain)
  const fd = sockets.open(domain)
  posix.setOption(fd, 'sendTimeoutMs', 20_000)
  return { fd, address }
}

/** What a nonblocking second call says after the first was interrupted. @type {(domain: 'inet' | 'unix') => ReturnType<typeof observe>} */
const secondCall = (domain) =>
  observe(async (sockets) => {
    const { fd, address } = await patient(domain)(sockets, false)
    const first = await resultOf(() => posix.connect(fd, address))
    posix.setNonblocking(fd, true)
    return { ...(await resultOf(() => posix.connect(fd, address))), first: first.code }
  })

const manager = new ConnectionManager({ retry: false, engine: 'blocking' })
await warmUp(manager)
const answer = {
  inet: await observeConnect(patient('inet'), false),
  unix: await observeConnect(patient('unix'), false),
  inetAgain: await secondCall('inet'),
  unixAgain: await secondCall('unix'),
  open: await observeOpen(manager, async (sockets) => ({
    target: targetOf(await sockets.full('inet')),
    options: { attemptTimeoutMs: 500 },
  })),
}
await manager.close()
console.log(JSON.stringify(answer))
