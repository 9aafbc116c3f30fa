/** peers/accept_close.c for machines without a compiler: accepts, closes, tells at the end of its input. */
import { once } from 'node:events'
import { createServer } from 'node:net'

import { bindLoopback, droppedSyns } from '../src/lab/loopback.js'

const { fd, place } = bindLoopback()
let accepted = 0
const server = createServer({ pauseOnConnect: true }, (socket) => {
  accepted++
  socket.on('error', () => {}).destroy()
})
server.listen({ fd, backlog: 4096 })
await once(server, 'listening')
console.log(JSON.stringify(place))
for await (const _ of process.stdin);
console.log(JSON.stringify({ accepted, dropped: droppedSyns(fd) }))
process.exit()
