/** Checks of what an adapter takes: connect()'s options, whose connects they are, and the client's own options beside them. */
import { kind } from '../core/kinds.js'
import { connectKinds } from '../options.js'

export const adapterKinds = {
  manager: kind('a ConnectionManager', (value) => {
    return typeof (value as { connect?: unknown } | null)?.connect === 'function'
  }),
}

const { timeoutMs, attemptTimeoutMs, engine, retry, blockList } = connectKinds

/** Those that Node has not, and the block list, which not every Node has. */
export const ownKinds = { timeoutMs, attemptTimeoutMs, engine, retry, blockList }
