/** What a watch tells programs, as lines and by a webhook: docs/health-change.schema.json has its shape. */
import type { CheckResult, HealthChange } from '../types.js'

const told = ['code', 'errnoClass', 'phase', 'step', 'reason', 'address', 'port', 'path'] as const

export type ChangeRecord = Omit<HealthChange, 'last'> & Pick<CheckResult, (typeof told)[number]>

export function recordOf({ last, ...change }: HealthChange): ChangeRecord {
  const record: ChangeRecord = change
  for (const name of told) if (last[name] !== undefined) Object.assign(record, { [name]: last[name] })
  return record
}
