/** A server over a watch of its own, asked by plain HTTP, and ended with the test. */
import { once } from 'node:events'
import http, { type IncomingHttpHeaders } from 'node:http'
import net, { type Socket } from 'node:net'
import type { ConnectionManager, Target, Watch, WatchOptions, WatchTarget } from 'cancelpoint'
import { afterEach } from 'vitest'
import { type Server, type ServerOptions, startServer } from '#internal/serve/server'
import { type Held, held } from '../support/counts.js'

export interface Serving extends AsyncDisposable {
  readonly server: Server
  readonly watch: Watch
  readonly port: number
}

/** An interval so long that nothing is checked while a test lasts. */
export const never = { intervalMs: 86_400_000 }

const running = new Set<Serving>()

afterEach(async () => {
  for (const each of running) await each[Symbol.asyncDispose]()
})

/** The changes of the watch are told to the server. */
export async function serving(
  manager: ConnectionManager,
  targets: Iterable<Target | WatchTarget>,
  { watch: watchOptions = never, ...options }: Partial<Omit<ServerOptions, 'watch'>> & { watch?: WatchOptions } = {},
): Promise<Serving> {
  const watch = manager.watch(targets, watchOptions)
  const server = await startServer({ manager, version: '1.2.3', ...options, watch })
  const telling = (async () => {
    for await (const change of watch) server.tell(change)
  })()
  const made: Serving = {
    server,
    watch,
    port: server.address.port,
    async [Symbol.asyncDispose]() {
      running.delete(made)
      await server.close()
      await watch[Symbol.asyncDispose]()
      await telling
    },
  }
  running.add(made)
  return made
}

/** What is held once the connections of earlier tests are gone. */
export async function steadyHeld(): Promise<Held> {
  let [now, before] = [held(), undefined as Held | undefined]
  while (now.open !== before?.open) {
    before = now
    await new Promise((resolve) => setTimeout(resolve, 50))
    now = held()
  }
  return now
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** On a connection of its own, which is closed. */
export async function get(
  { port }: { port: number },
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false })
  request.end()
  const [response] = await once(request, 'response')
  response.setEncoding('utf8')
  let body = ''
  for await (const part of response) body += part
  return { status: response.statusCode, headers: response.headers, body }
}

export const getJson = async (at: { port: number }, path: string) => JSON.parse((await get(at, path)).body)

export async function dial({ port }: { port: number }): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Sends bytes as they are, and reads until the other side ends. */
export async function raw(at: { port: number }, text: string | Uint8Array): Promise<string> {
  const socket = await dial(at)
  socket.setEncoding('utf8')
  let said = ''
  socket.on('data', (part) => {
    said += part
  })
  socket.write(text)
  await once(socket, 'close')
  return said
}
