/** Checks of what an adapter takes: connect()'s options, whose connects they are, and the client's own options beside them. */
import { kind } from '../core/kinds.js'
import { requireNoSlips, requireOwnKinds } from '../options.js'
import type { ConnectOptions } from '../types.js'

export const adapterKinds = {
  manager: kind('a ConnectionManager', (value) => {
    return typeof (value as { connect?: unknown } | null)?.connect === 'function'
  }),
}

/**
 * For an adapter that hands its client's options on: those pass, and a misspelled one of ours is refused.
 * @throws RangeError or TypeError that names the option.
 */
export function requireAdapterOptions(options: ConnectOptions & { manager?: unknown }): void {
  requireOwnKinds(options, adapterKinds)
  requireNoSlips(options, Object.keys(adapterKinds))
}
