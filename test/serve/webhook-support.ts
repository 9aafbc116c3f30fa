/** Receivers of webhooks on loopback, and changes to tell them. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { HealthChange } from 'cancelpoint'
import { Webhook as Verifier } from 'standardwebhooks'

export const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`

export interface Message {
  id: string
  body: string
  headers: http.IncomingHttpHeaders
  at: number
  data: { changes: HealthChange[]; lost?: number; merged?: number }
}

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, count: number) => unknown

/** Takes each message, verifies it with the reference library, and answers as told. */
export class Receiver implements AsyncDisposable {
  readonly messages: Message[] = []
  readonly server: http.Server | https.Server
  answer: Answer
  mostAtOnce = 0
  #atOnce = 0
  #sockets = new Set<Socket>()

  constructor(answer: Answer = (_, response) => response.end(), tls?: https.ServerOptions) {
    this.answer = answer
    const take = (request: http.IncomingMessage, response: http.ServerResponse) => void this.#take(request, response)
    this.server = tls ? https.createServer(tls, take) : http.createServer(take)
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
    this.server.on('tlsClientError', () => {})
  }

  async open(port = 0): Promise<this> {
    await once(this.server.listen(port, '127.0.0.1'), 'listening')
    return this
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** The messages that were taken, each once. */
  get changes(): string[] {
    const byId = new Map(this.messages.map((message) => [message.id, message]))
    return [...byId.values()].flatMap(({ data }) => data.changes.map(({ target }) => target))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.server.listening) return
    this.server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.server, 'close')
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.#atOnce += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce)
    response.on('close', () => {
      this.#atOnce -= 1
    })
    response.on('error', () => {})
    let body = ''
    try {
      for await (const chunk of request) body += chunk
    } catch {
      return
    }
    const { headers } = request
    const { data } = new Verifier(secret).verify(body, headers as Record<string, string>) as Pick<Message, 'data'>
    this.messages.push({ id: String(headers['webhook-id']), body, headers, at: performance.now(), data })
    await this.answer(request, response, this.messages.length)
  }
}

export function changeOf(target: string, more: Partial<HealthChange> = {}): HealthChange {
  const at = Date.now()
  const last = { target, status: 'down' as const, code: 'ECONNREFUSED', attempts: 1, startedAt: at }
  return { target, from: 'up', to: 'down', at, since: at - 1_000, results: 3, last, ...more }
}
