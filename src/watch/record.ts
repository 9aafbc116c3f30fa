/** What a watch tells programs, as lines and by a webhook: docs/health-change.schema.json has its shape. */
import type { CheckResult, HealthChange } from '../types.js'

export type ChangeRecord = Omit<HealthChange, 'last'> &
  Pick<CheckResult, 'code' | 'errnoClass' | 'phase' | 'step' | 'reason' | 'address' | 'port' | 'path'>

export function recordOf({ last, ...change }: HealthChange): ChangeRecord {
  const { code, errnoClass, phase, step, reason, address, port, path } = last
  const why = { code, errnoClass, phase, step, reason, address, port, path }
  return { ...change, ...Object.fromEntries(Object.entries(why).filter(([, value]) => value !== undefined)) }
}
