/** A server that speaks to the page as the real one does, with targets that a test moves as it likes. */
import { once } from 'node:events'
import http, { type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HealthChange, TargetHealth } from 'cancelpoint'
import { Groups } from '#internal/core/groups'
import * as limits from '#internal/core/limits'
import { isWanted, targetQueryOf } from '#internal/core/target-query'
import type { PageFile } from '#internal/serve/page'
import { pageFiles } from '#internal/serve/page-files'

export type Shown = TargetHealth & {
  remedy?: string
  history?: { results: string; connectMs: (number | null)[] }
}

export const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const order = ['down', 'unknown', 'up'] as const

export class Stage {
  targets: Shown[]
  /** Goes over the figures that follow from the targets. */
  summary: Record<string, unknown> = {}
  summaryEveryMs = 250
  /** Requests for lists so far. */
  asked: URLSearchParams[] = []
  /** Lists answer with an error. */
  refuses = false
  port = 0
  #files: ReadonlyMap<string, PageFile> = new Map()
  #server: http.Server | undefined
  #followers = new Set<ServerResponse>()
  #timer: NodeJS.Timeout | undefined
  readonly #startedAt = Date.now() - 3_723_000
  #checks = 1_000_000

  constructor(targets: Shown[]) {
    this.targets = targets
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`
  }

  /** On the port that it had before, where it had one. */
  async start(): Promise<void> {
    this.#files = pageFiles()
    this.#server = http.createServer((request, response) => this.#answer(request.url!, response))
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
    this.#timer = setInterval(() => this.tellSummary(), this.summaryEveryMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const server = this.#server!
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
    this.#followers.clear()
  }

  tellSummary(): void {
    this.#checks += 1_250
    this.#tell('summary', this.#summary())
  }

  /** A target changes, and whoever follows hears of it. */
  change(target: string, to: Shown['state'], last: Partial<TargetHealth['last']> & object = {}, remedy?: string): void {
    const found = this.targets.find((each) => each.target === target)!
    const { state: from, since, labels } = found
    const at = Date.now()
    const result = { target, status: to, attempts: 1, startedAt: at, ...last } as NonNullable<TargetHealth['last']>
    Object.assign(found, { state: to, since: at, inARow: 1, last: result, remedy })
    const change: HealthChange = { target, from, to, at, since, results: 1, last: result, ...(labels && { labels }) }
    this.#tell('change', { ...change, remedy })
  }

  #tell(event: string, data: object): void {
    for (const response of this.#followers) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  #answer(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, this.url)
    response.setHeader('Content-Security-Policy', policy)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Cache-Control', 'no-store')
    const file = this.#files.get(pathname)
    if (file) response.setHeader('Content-Type', file.type).end(file.body)
    else if (pathname === '/api/summary') json(response, this.#summary())
    else if (pathname === '/api/targets') this.#list(searchParams, response)
    else if (pathname === '/events') this.#follow(response)
    else response.writeHead(404).end()
  }

  #follow(response: ServerResponse): void {
    response.setHeader('Content-Type', 'text/event-stream')
    response.write(`event: summary\ndata: ${JSON.stringify(this.#summary())}\n\n`)
    this.#followers.add(response)
    response.on('close', () => this.#followers.delete(response))
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    this.asked.push(query)
    if (this.refuses) {
      response.writeHead(503).end('Too many lists are being made.\n')
      return
    }
    const wanted = targetQueryOf(query)
    if (typeof wanted === 'string') {
      response.writeHead(400).end(`${wanted}\n`)
      return
    }
    const { offset, limit } = wanted
    const matching = this.targets.filter((each) => isWanted(each, wanted))
    const groups = new Groups(limits.serve.groups)
    for (const { labels, state } of matching) groups.add(labels, state)
    const targets = order.flatMap((state) => matching.filter((each) => each.state === state))
    json(response, {
      total: this.targets.length,
      matching: matching.length,
      counts: countsOf(matching),
      offset,
      limit,
      ...(offset === 0 && { groups: groups.tell() }),
      targets: targets.slice(offset, offset + limit),
    })
  }

  #summary(): object {
    return {
      at: Date.now(),
      targets: this.targets.length,
      ...countsOf(this.targets),
      latenessMs: { p50: 0.31, p99: 1.84, max: 6.2 },
      frozen: false,
      lostChanges: 0,
      skipped: 0,
      checks: { up: this.#checks, down: 0, unknown: 0 },
      changes: { up: 0, down: 0, unknown: 0 },
      startedAt: this.#startedAt,
      version: '1.2.3',
      ...this.summary,
    }
  }
}

function json(response: ServerResponse, value: object): void {
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(value))
}

function countsOf(targets: readonly Shown[]): { up: number; down: number; unknown: number } {
  const counts = { up: 0, down: 0, unknown: 0 }
  for (const { state } of targets) counts[state] += 1
  return counts
}
