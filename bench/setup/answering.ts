/** Answers HTTP and closes each connection, in a process of its own; tells its port, and how many it answered at the end of its input. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

let answered = 0
const server = createServer((_, response) => {
  answered++
  response.setHeader('connection', 'close').end('ok')
})
server.listen(0, '127.0.0.1', 4_096)
await once(server, 'listening')
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }))
for await (const _ of process.stdin);
console.log(JSON.stringify({ answered }))
process.exit()
