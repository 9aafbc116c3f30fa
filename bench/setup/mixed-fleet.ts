/**
 * The targets of the side-by-side run, served from a process of its own: tells its places as JSON, and ends with its standard
 * input. Its argument is a directory with `key.pem` and `cert.pem`.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { constants, setPriority } from 'node:os'
import { createServer as createTlsServer } from 'node:tls'
import { behaviours } from '../../src/lab/behaviours.js'
import { bindLoopback } from '../../src/lab/loopback.js'
import { openDeadAndAlive } from './servers.js'

const [directory] = process.argv.slice(2)

/** A port of every loopback address. */
async function serve(server: Server): Promise<number> {
  const { fd, place } = bindLoopback()
  await new Promise<void>((resolve) => server.listen({ fd }, 4_096, resolve))
  return place.port
}

const tls = { key: readFileSync(`${directory}/key.pem`), cert: readFileSync(`${directory}/cert.pem`) }
const secure = createTlsServer(tls, (socket) => socket.on('error', () => {}).resume()).on('tlsClientError', () => {})
const banner = createServer((socket) => {
  socket
    .on('error', () => {})
    .resume()
    .write('500 another service\r\n')
})

// Where the process may: what is tested is starved, and not what it talks to.
try {
  setPriority(constants.priority.PRIORITY_HIGHEST)
} catch {
  process.stderr.write('The fleet is not preferred by the scheduler: that takes root.\n')
}
const [up, refuse, hang, dead] = [
  await behaviours.accept.open(),
  await behaviours.refuse.open(),
  await behaviours.hang.open(),
  await openDeadAndAlive(),
]
const portOf = ({ place }: { place: object }) => (place as { port: number }).port
const ports = {
  up: portOf(up),
  refused: portOf(refuse),
  hanging: portOf(hang),
  name: dead.port,
  tls: await serve(secure),
  banner: await serve(banner),
}
console.log(JSON.stringify({ ports, addresses: dead.addresses }))
for await (const _ of process.stdin);
console.log('{}')
process.exit()
