// @ts-check
/** Runs where few descriptors may be open (beyond.ts): EMFILE, and that a descriptor given back is enough to go on. */
import * as posix from 'cancelpoint/posix'
import { closeManagers, observe, observeOpenAtOnce, openManagers, resultOf, targetOf, warmUp } from './observe.mjs'

/** Opens descriptors until there are no more. @type {(sockets: import('../support/sockets.mjs').Sockets) => void} */
function takeAll(sockets) {
  for (;;) {
    try {
      sockets.open('inet')
    } catch {
      return
    }
  }
}

const managers = await openManagers()
const answer = {
  socket: await observe(async (sockets) => {
    takeAll(sockets)
    return resultOf(() => posix.socket('inet'))
  }),
  open: await observeOpenAtOnce(managers, (sockets) => {
    const target = targetOf(posix.getsockname(sockets.listener('inet')))
    takeAll(sockets)
    return { target }
  }),
  afterwards: { blocking: await warmUp(managers.blocking), nonblocking: await warmUp(managers.nonblocking) },
}
await closeManagers(managers)
console.log(JSON.stringify(answer))
