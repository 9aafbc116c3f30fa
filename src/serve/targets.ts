/** /api/targets: a page of the targets, what is not up first. In parts, as /metrics. */
import { advise } from '../core/errno.js'
import { Groups } from '../core/groups.js'
import * as limits from '../core/limits.js'
import { isWanted, type TargetQuery } from '../core/target-query.js'
import type { CheckResult, HealthChange, TargetHealth } from '../types.js'
import type { Watch } from '../watch/watch.js'
import type { Record } from './record.js'

/** States in the order in which they are shown. */
const order = ['down', 'unknown', 'up'] as const

/** `{ total, matching, counts, offset, limit, groups, targets }` as JSON; `groups` with the first page. '' is a part that has only been worked on. */
export function* targetsOf(watch: Watch, record: Record, query: TargetQuery): Generator<string, void, undefined> {
  const { offset, limit } = query
  const found = { down: [] as TargetHealth[], unknown: [] as TargetHealth[], up: [] as TargetHealth[] }
  const counts = { up: 0, down: 0, unknown: 0 }
  const groups = offset === 0 ? new Groups(limits.serve.groups) : undefined
  let total = 0
  for (const health of watch.health()) {
    total += 1
    if (isWanted(health, query)) {
      counts[health.state] += 1
      groups?.add(health.labels, health.state)
      // No page needs more of them.
      if (found[health.state].length < offset + limit) found[health.state].push(health)
    }
    if (total % limits.serve.rowsPerSlice === 0) yield ''
  }
  const matching = counts.up + counts.down + counts.unknown
  yield `${JSON.stringify({ total, matching, counts, offset, limit, groups: groups?.tell() }).slice(0, -1)},"targets":[`
  const page = order.flatMap((state) => found[state]).slice(offset, offset + limit)
  for (let from = 0; from < page.length; from += itemsPerSlice) {
    const items = page.slice(from, from + itemsPerSlice).map((health) => JSON.stringify(shown(health, record)))
    yield `${from === 0 ? '' : ','}${items.join(',')}`
  }
  yield ']}\n'
}

/** Each has its whole history, which is long. */
const itemsPerSlice = 64

function shown(health: TargetHealth, record: Record): object {
  return { ...health, ...remedyFor(health.last), history: record.history.past(record.keyOf(health)) }
}

/** A change as those who follow events are told it. */
export const shownChange = (change: HealthChange): object => ({ ...change, ...remedyFor(change.last) })

/** What a person can do about a result that is not up. */
function remedyFor(last: CheckResult | undefined): { remedy?: string } {
  if (!last || last.status === 'up' || last.code === undefined) return {}
  const remedy = advise(last.code, last.errnoClass ?? 'unknown')?.remedy
  return remedy === undefined ? {} : { remedy }
}
