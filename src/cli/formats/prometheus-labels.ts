/** The labels of a series. Names are those of the target where Prometheus allows them, and values can be anything that can be shown. */
import { printable } from '../../core/text.js'
import type { CheckResult } from '../../types.js'

/** Ours, and two that Prometheus keeps for histograms and summaries. A target's own goes by `exported_`, as in Prometheus itself. */
const taken = ['target', 'phase', 'code', 'errno_class', 'le', 'quantile']

/** `target="a:1",env="prod"`: what tells one series from another. `address` where a target has a series for each. */
export function seriesOf(target: string, labels: CheckResult['labels'], address?: string): string {
  const pairs: (readonly [name: string, value: string])[] = [['target', target]]
  if (address !== undefined) pairs.push(['address', address])
  if (labels) pairs.push(...named(labels, address === undefined ? taken : [...taken, 'address']))
  return pairs.map(([name, value]) => `${name}="${escaped(printable(value))}"`).join(',')
}

/** What ends a value, and the backslash before it. No end of a line gets here. */
export const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&')

/** By name. To Prometheus an empty label is none. Of two names that become the same, the first in order keeps it. */
function named(labels: NonNullable<CheckResult['labels']>, reserved: readonly string[]): [string, string][] {
  const names = Object.keys(labels).filter((name) => labels[name] !== '')
  const legal = names.filter((name) => nameOf(name, reserved) === name)
  const used = new Set<string>()
  const fresh = (name: string): string => {
    let free = name
    for (let number = 2; used.has(free); number += 1) free = `${name}_${number}`
    used.add(free)
    return free
  }
  const others = names.filter((name) => !legal.includes(name))
  return [...legal.sort(), ...others.sort()].map((name) => [fresh(nameOf(name, reserved)), labels[name]!])
}

/** Letters, digits and underscores, not a digit first; names with two underscores first are Prometheus's own. */
function nameOf(name: string, reserved: readonly string[]): string {
  if (name !== '_' && !/[A-Za-z0-9]/.test(name)) return 'label'
  const legal = name.replace(/[^A-Za-z0-9_]/gu, '_').replace(/^(?=\d)/, '_')
  if (legal.startsWith('__')) return `label${legal}`
  return reserved.includes(legal) ? `exported_${legal}` : legal
}
