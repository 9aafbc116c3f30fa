/** Checks of what an adapter takes: connect()'s options, and whose connects they are. */
import { kind, requireKinds } from '../core/kinds.js'
import { requireOptions } from '../options.js'
import type { ConnectOptions } from '../types.js'

const adapterKinds = {
  manager: kind('a ConnectionManager', (value) => {
    return typeof (value as { connect?: unknown } | null)?.connect === 'function'
  }),
}

/** @throws RangeError or TypeError that names the option. */
export function requireAdapterOptions(options: ConnectOptions & { manager?: unknown }): void {
  requireOptions(options)
  requireKinds(options, adapterKinds)
}
