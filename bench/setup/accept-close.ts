/** peers/accept_close.c for machines without a compiler: accepts, closes, tells at the end of its input. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

import { bindLoopback, droppedSyns } from '../../src/lab/loopback.js'

const { fd, place } = bindLoopback()
/** Closed late, as there. */
const openAtOnce = 256
const open: Socket[] = []
let accepted = 0
const server = createServer({ pauseOnConnect: true }, (socket) => {
  accepted++
  open.push(socket.on('error', () => {}))
  if (open.length > openAtOnce) open.shift()!.destroy()
})
server.listen({ fd, backlog: 4096 })
await once(server, 'listening')
console.log(JSON.stringify(place))
for await (const _ of process.stdin);
console.log(JSON.stringify({ accepted, dropped: droppedSyns(fd) }))
process.exit()
