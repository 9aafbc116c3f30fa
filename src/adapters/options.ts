/** Checks of what an adapter takes: connect()'s options, and whose connects they are. */
import { requireOptions } from '../options.js'
import type { ConnectOptions } from '../types.js'

/** @throws RangeError or TypeError that names the option. */
export function requireAdapterOptions(options: ConnectOptions & { manager?: unknown }): void {
  requireOptions(options)
  const { manager } = options
  if (manager === undefined || typeof (manager as { connect?: unknown } | null)?.connect === 'function') return
  throw new TypeError(`manager is ${String(manager)}: expected a ConnectionManager`)
}
