/** What /probe is asked to do: its query and the scraper's patience, read strictly. Pure. */
import { InvalidTargetError, show } from './invalid-target.js'
import * as limits from './limits.js'
import { nearest } from './nearest.js'
import { type ReadTarget, readTarget } from './target.js'

export interface ProbeQuery {
  readonly target: ReadTarget
  /** What is asked of the service, one of `probes`; undefined for the connect alone. */
  readonly probe: string | undefined
}

const names = ['target', 'probe']

/** The query; a string that says what is wrong with it. */
export function probeQueryOf(parameters: URLSearchParams, probes: readonly string[]): ProbeQuery | string {
  for (const name of new Set(parameters.keys())) {
    if (!names.includes(name)) {
      const near = nearest(name, names)
      return `there is no parameter ${show(name)}: ${near ? `did you mean ${near}?` : 'there are target and probe'}`
    }
    if (parameters.getAll(name).length > 1) return `${name} is given more than once`
  }
  const target = parameters.get('target')
  if (!target) return 'target is missing: give one, such as /probe?target=db.internal:5432'
  const probe = parameters.get('probe') ?? undefined
  if (probe !== undefined && !probes.includes(probe))
    return `there is no probe ${show(probe)}: there are ${probes.join(', ')}`
  try {
    return { target: readTarget(target), probe }
  } catch (error) {
    if (error instanceof InvalidTargetError) return error.message
    throw error
  }
}

/**
 * How long a probe may take, by Prometheus's header: less than the scrape, so that the answer is still heard. Undefined where
 * the header is no number of seconds.
 */
export function probeTimeoutMs(header: string | string[] | undefined): number | undefined {
  const { probeOffsetMs, probeTimeoutAtMostMs } = limits.serve
  const scrapeMs = header === undefined ? limits.serve.probeTimeoutMs : Number(header) * 1000
  if (Array.isArray(header) || !(scrapeMs > 0)) return undefined
  return Math.min(probeTimeoutAtMostMs, Math.max(scrapeMs - probeOffsetMs, scrapeMs / 2))
}
