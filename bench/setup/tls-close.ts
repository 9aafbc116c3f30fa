/** A TLS server that says nothing, in a process of its own. Its arguments: port, key file, certificate file. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'

const [port, keyFile, certFile] = process.argv.slice(2)
const server = createServer({ key: readFileSync(keyFile!), cert: readFileSync(certFile!) }, (socket) => {
  socket.on('error', () => {}).resume()
})
server.on('tlsClientError', () => {}).listen(Number(port), '127.0.0.1', 4_096)
