/**
 * An HTTP server over a watch: metrics for Prometheus, the state of targets as JSON and as events, the files of a page, and where it
 * is allowed probes on demand. It reads and tells; nothing that is sent to it changes the watch.
 */
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { hostname } from 'node:os'
import { isLoopback, type Known, urlHost } from '../core/host-header.js'
import * as limits from '../core/limits.js'
import type { ConnectionManager } from '../manager.js'
import type { HealthChange } from '../types.js'
import type { Watch } from '../watch/watch.js'
import { refuse, refuseForNow } from './answer.js'
import { Followers } from './followers.js'
import { refusalOf } from './guard.js'
import { securityHeaders } from './headers.js'
import { inTurn } from './in-turn.js'
import { Page, type PageFile } from './page.js'
import { type AddressList, Prober } from './probe.js'
import { ProcessMeter } from './process-metrics.js'
import { Record } from './record.js'
import { routesOf } from './routes.js'
import { Served } from './served.js'
import { shownChange } from './targets.js'

export interface ServerOptions {
  watch: Watch
  /** Makes the probes that are asked for. */
  manager: ConnectionManager
  /** Default: 127.0.0.1, and a port that is free. */
  listen?: { host?: string | undefined; port?: number | undefined } | undefined
  /** Other names that people and scrapers call this server by, without a port. */
  hosts?: readonly string[] | undefined
  /** Targets with series of their own. Where there are more, only those that are not up have. Default 10,000. */
  seriesAtMost?: number | undefined
  /** What may be probed on demand. Default: nothing, /probe is off. */
  probeAllow?: AddressList | undefined
  version: string
  /** By path, such as '/' and '/app.js'. */
  page?: ReadonlyMap<string, PageFile> | undefined
}

export interface Server {
  readonly address: AddressInfo
  /** `http://127.0.0.1:9464/`. */
  readonly url: string
  /** What whoever started it should know; undefined where this machine alone can reach it. */
  readonly warning: string | undefined
  /** A change that the watch told. */
  tell(change: HealthChange): void
  /** Nothing is left once it resolves. The watch goes on. Idempotent. */
  close(): Promise<void>
}

const bounds = limits.serve

/** @throws Error that says where it cannot listen, and why. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { watch, manager, listen = {}, hosts = [], seriesAtMost = bounds.seriesAtMost, version } = options
  const { host = '127.0.0.1', port = 0 } = listen
  const known: { -readonly [name in keyof Known]: Known[name] } = {
    names: [host, ...hosts].map((name) => name.toLowerCase().replace(/^\[|\]$/g, '')),
    anyAddress: false,
  }
  const page = new Page(options.page ?? new Map())
  const prober = new Prober(manager, options.probeAllow)
  const underWay = new Set<Promise<void>>()
  const server = http.createServer(httpOptions)
  bound(server)
  await listening(server, host, port)

  const address = server.address() as AddressInfo
  const url = `http://${urlHost(address.address)}:${address.port}/`
  const isExposed = !isLoopback(address.address)
  if (isExposed) Object.assign(known, { anyAddress: true, names: [...known.names, hostname().toLowerCase()] })
  const record = new Record(watch)
  const served = new Served(watch, record, seriesAtMost, version)
  const followers = new Followers(() => served.summary())
  const meter = new ProcessMeter()
  const routeOf = routesOf({ served, followers, prober, meter, page })

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', method } = request
    const at = url.indexOf('?')
    const path = at < 0 ? url : url.slice(0, at)
    const refusal = refusalOf(request, known, page.has(path) || path === '/' || path === '/healthz')
    if (refusal) {
      refuse(response, refusal.status, refusal.words, refusal.headers)
      return
    }
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    const asked = { request, response, path, query, isHead: method === 'HEAD' }
    const running = run(async () => routeOf(path)(asked), response).finally(() => underWay.delete(running))
    underWay.add(running)
  }
  server.on(
    'request',
    inTurn(handle, (response) => refuseForNow(response, 'too many requests wait on this connection')),
  )

  let closed: Promise<void> | undefined
  async function close(): Promise<void> {
    const done = once(server, 'close')
    server.close()
    followers.end()
    prober.end()
    server.closeAllConnections()
    meter.end()
    record.end()
    await done
    await Promise.all(underWay)
  }
  return {
    address,
    url,
    warning: isExposed ? warningOf(url, options.probeAllow !== undefined) : undefined,
    tell(change) {
      record.changed(change)
      followers.tell(shownChange(change))
    },
    close() {
      closed ??= close()
      return closed
    },
  }
}

const httpOptions: http.ServerOptions = {
  maxHeaderSize: bounds.headerBytesAtMost,
  headersTimeout: bounds.headersTimeoutMs,
  requestTimeout: bounds.requestTimeoutMs,
  keepAliveTimeout: bounds.keepAliveMs,
  connectionsCheckingInterval: bounds.connectionsCheckedMs,
  requireHostHeader: false,
}

/** What slow, silent and many clients may hold; and an answer with all headers for what is no HTTP. */
function bound(server: http.Server): void {
  server.maxConnections = bounds.connectionsAtMost
  server.maxRequestsPerSocket = bounds.requestsPerConnection
  server.timeout = bounds.silenceMs
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseRaw(error.code, socket as Socket))
  // Node would say so by itself, without our headers.
  server.on('checkExpectation', (_, response) => refuse(response, 417, 'nothing but 100-continue is expected of it'))
}

function refuseRaw(code: string | undefined, socket: Socket): void {
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const [status, reason] = rawStatuses.get(code ?? '') ?? [400, 'Bad Request']
  const headers = { ...securityHeaders, 'Cache-Control': 'no-store', 'Content-Length': '0', Connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n`, () => socket.destroy())
}

const rawStatuses: ReadonlyMap<string, [number, string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'Request Header Fields Too Large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'Request Timeout']],
])

/** What a route throws is a mistake here: it is told where Node tells of such, and the server goes on. */
async function run(route: () => Promise<void>, response: ServerResponse): Promise<void> {
  try {
    await route()
  } catch (error) {
    process.emitWarning(error as Error)
    if (response.headersSent) response.destroy()
    else refuse(response, 500, 'this is a mistake in cancelpoint: its standard error says more')
  }
}

async function listening(server: http.Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = reasons.get(code ?? '') ?? message
    throw new Error(`cannot listen on ${urlHost(host)}:${port}: ${why}`, { cause: error })
  }
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program listens there; end it, or choose another port'],
  ['EADDRNOTAVAIL', 'this machine has no such address; choose one that it has, such as 127.0.0.1'],
  ['EACCES', 'ports below 1024 need a privilege; choose a higher one'],
  ['ENOTFOUND', 'there is no such name; choose an address, such as 127.0.0.1'],
])

function warningOf(url: string, mayProbe: boolean): string {
  const probes = mayProbe ? ', and have the networks of --probe-allow probed' : ''
  return `other machines can reach ${url}: whoever does can read the state of every target${probes}. Nobody is asked for a password: listen on 127.0.0.1, or let a firewall or a proxy say who may`
}
