/** Which address answers what. */
import { contentTypes, dialectFor } from '../core/exposition.js'
import * as limits from '../core/limits.js'
import { targetQueryOf } from '../core/target-query.js'
import { type Asked, answer, begin, jsonType, refuse, refuseForNow, textType } from './answer.js'
import type { Followers } from './followers.js'
import { metricsOf } from './metrics.js'
import type { Page } from './page.js'
import { Places } from './places.js'
import { pour } from './pour.js'
import type { Prober } from './probe.js'
import type { ProcessMeter } from './process-metrics.js'
import type { Served } from './served.js'
import { targetsOf } from './targets.js'

export type Route = (asked: Asked) => void | Promise<void>

export interface Parts {
  readonly served: Served
  readonly followers: Followers
  readonly prober: Prober
  readonly meter: ProcessMeter
  readonly page: Page
}

export function routesOf({ served, followers, prober, meter, page }: Parts): (path: string) => Route {
  const { watch, record, seriesAtMost, version } = served
  const scrapes = new Places(limits.serve.scrapesAtMost)
  const listings = new Places(limits.serve.listingsAtMost)

  const routes = new Map<string, Route>([
    [
      '/metrics',
      inPlace(scrapes, 'too many scrapes are under way', async ({ request, response, isHead }) => {
        const dialect = dialectFor(request.headers.accept)
        const figures = await meter.figures()
        if (response.destroyed) return
        begin(response, 200, contentTypes[dialect])
        const scrape = { watch, record, seriesAtMost, version, dialect, figures }
        if (isHead) response.end()
        else await pour(metricsOf(scrape), response)
      }),
    ],
    ['/probe', (asked) => prober.answer(asked)],
    [
      '/api/targets',
      inPlace(listings, 'too many lists are being made', async ({ response, query, isHead }) => {
        const wanted = targetQueryOf(query)
        if (typeof wanted === 'string') return refuse(response, 400, wanted)
        begin(response, 200, jsonType)
        if (isHead) response.end()
        else await pour(targetsOf(watch, record, wanted), response)
      }),
    ],
    ['/api/summary', ({ response }) => answer(response, 200, jsonType, `${JSON.stringify(served.summary())}\n`)],
    ['/healthz', ({ response }) => answer(response, 200, textType, `${healthOf(served)}\n`)],
    [
      '/events',
      ({ response, isHead }) => {
        if (isHead) answer(response, 200, 'text/event-stream; charset=utf-8', '')
        else if (!followers.add(response)) refuseForNow(response, 'too many follow the events')
      },
    ],
  ])
  const list = ['/', ...routes.keys()].join(', ')
  const root: Route = ({ response }) => answer(response, 200, textType, `cancelpoint ${version}\n${list}\n`)
  const unknown: Route = ({ response }) => refuse(response, 404, `there is no such page: there are ${list}`)
  return (path) => {
    if (page.has(path)) return (asked) => page.answer(asked)
    return routes.get(path) ?? (path === '/' ? root : unknown)
  }
}

/** The process works, or there would be no answer. That it is frozen is no reason to start it anew, which would mend nothing. */
function healthOf({ watch }: Served): string {
  const { frozen, frozenWhy } = watch.summary()
  return frozen ? `ok, but no state changes now: ${frozenWhy}` : 'ok'
}

/** The place is kept until the answer has left, and what it holds with it. */
function inPlace(places: Places, words: string, route: Route): Route {
  return async (asked) => {
    const { response } = asked
    if (!places.take()) return refuseForNow(response, words)
    response.once('close', () => places.leave())
    await route(asked)
  }
}
