/** A TLS server in a process of its own, which greets and answers; it ends with its standard input. */
import { readFileSync } from 'node:fs'
import tls from 'node:tls'

const [keyFile, certFile] = process.argv.slice(2)
const options = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
const server = tls.createServer(options, (socket) => {
  socket.on('error', () => {}).on('data', () => socket.write('250 OK\r\n'))
  socket.write('220 hi\r\n')
})
server.on('tlsClientError', () => {})
server.listen(0, '127.0.0.1', 4_000, () => process.stdout.write(`${server.address().port}\n`))
process.stdin.resume().on('end', () => process.exit())
