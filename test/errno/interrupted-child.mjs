// @ts-check
/**
 * Is stopped and continued all the while (beyond.ts): with SO_SNDTIMEO set that interrupts a connect even on a lane, where
 * every signal is blocked.
 */
import * as posix from 'cancelpoint/posix'
import {
  closeManagers,
  observe,
  observeConnect,
  observeOpenAtOnce,
  openManagers,
  resultOf,
  targetOf,
} from './observe.mjs'

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

/** By managers, whose deadline ends it. @type {(domain: 'inet' | 'unix') => ReturnType<typeof observeOpenAtOnce>} */
const opened = (domain) =>
  observeOpenAtOnce(managers, async (sockets) => ({
    target: targetOf(await sockets.full(domain)),
    options: { attemptTimeoutMs: 300 },
  }))

const managers = await openManagers()
const answer = {
  inet: await observeConnect(patient('inet'), false),
  unix: await observeConnect(patient('unix'), false),
  inetAgain: await secondCall('inet'),
  unixAgain: await secondCall('unix'),
  openInet: await opened('inet'),
  openUnix: await opened('unix'),
}
await closeManagers(managers)
console.log(JSON.stringify(answer))
