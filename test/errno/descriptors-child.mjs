// @ts-check
/** Runs where few descriptors may be open (recipes.ts): EMFILE, and that a descriptor given back is enough to go on. */
import { ConnectionManager } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { observe, observeOpen, resultOf, targetOf, warmUp } from './observe.mjs'

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

const manager = new ConnectionManager({ retry: false, engine: 'blocking' })
await warmUp(manager)
const answer = {
  socket: await observe(async (sockets) => {
    takeAll(sockets)
    return resultOf(() => posix.socket('inet'))
  }),
  open: await observeOpen(manager, (sockets) => {
    const target = targetOf(posix.getsockname(sockets.listener('inet')))
    takeAll(sockets)
    return { target }
  }),
  afterwards: await warmUp(manager),
}
await manager.close()
console.log(JSON.stringify(answer))
