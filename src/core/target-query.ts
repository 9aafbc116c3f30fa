/** What of the watched targets somebody wants to see: the query of /api/targets, read strictly. Pure. */
import type { State } from './health.js'
import { show } from './invalid-target.js'
import * as limits from './limits.js'
import { nearest } from './nearest.js'

export interface TargetQuery {
  readonly offset: number
  readonly limit: number
  /** Empty for all. */
  readonly states: readonly State[]
  /** In lower case: to be found in the target, in a value of its labels, or in the code of its last result. */
  readonly text: string
  /** All of them; a value that is undefined is any. */
  readonly labels: readonly (readonly [name: string, value: string | undefined])[]
}

export interface Sought {
  readonly target: string
  readonly labels?: Readonly<Record<string, string>>
  readonly state: State
  readonly last?: { readonly code?: string }
}

const names = ['offset', 'limit', 'state', 'text', 'label']
const states: readonly State[] = ['down', 'unknown', 'up']

/** The query; a string that says what is wrong with it. */
export function targetQueryOf(parameters: URLSearchParams): TargetQuery | string {
  for (const name of new Set(parameters.keys())) {
    if (!names.includes(name)) {
      const near = nearest(name, names)
      return `there is no parameter ${show(name)}: ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}`}`
    }
  }
  const { pageSize, pageSizeAtMost, labelFiltersAtMost } = limits.serve
  const offset = numberOf(parameters.get('offset') ?? '0')
  if (offset === undefined) return 'offset is no whole number from 0 up'
  const limit = numberOf(parameters.get('limit') ?? String(pageSize))
  if (limit === undefined || limit < 1 || limit > pageSizeAtMost)
    return `limit is no whole number from 1 to ${pageSizeAtMost}`
  const wanted = parameters.getAll('state').flatMap((each) => each.split(',')) as State[]
  const other = wanted.find((each) => !states.includes(each))
  if (other !== undefined) return `state is ${show(other)}: expected ${states.join(', ')}, or several with commas`
  const labels = parameters.getAll('label').map(labelOf)
  if (labels.length > labelFiltersAtMost) return `label is given more than ${labelFiltersAtMost} times`
  return { offset, limit, states: wanted, text: (parameters.get('text') ?? '').toLowerCase(), labels }
}

const numberOf = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined)

/** `env=prod`, or `env` alone for any value. */
function labelOf(text: string): [string, string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

export function isWanted({ target, labels, state, last }: Sought, query: TargetQuery): boolean {
  if (query.states.length > 0 && !query.states.includes(state)) return false
  for (const [name, value] of query.labels) {
    const own = labels && Object.hasOwn(labels, name) ? labels[name] : undefined
    // As in Prometheus, an empty label is none.
    if (value === undefined ? own === undefined : (own ?? '') !== value) return false
  }
  if (query.text === '') return true
  const has = (text: string | undefined) => text?.toLowerCase().includes(query.text)
  return Boolean(has(target) || has(last?.code) || (labels && Object.values(labels).some(has)))
}
