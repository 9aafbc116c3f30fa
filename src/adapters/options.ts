/** Checks the options of an adapter. The client's own options stand beside those of cancelpoint, and are left to the client. */
import { kind, objectKind, requireKind, requireKinds } from '../core/kinds.js'
import { settledRetryPolicy } from '../core/retry.js'
import { connectKinds, requireNoSlips } from '../options.js'
import type { RetryPolicy } from '../types.js'

const manager = kind('a ConnectionManager', (value) => {
  return typeof (value as { connect?: unknown } | null)?.connect === 'function'
})
const { timeoutMs, attemptTimeoutMs, engine, retry, blockList, signal, localAddress, lookup } = connectKinds
/** Those that Node has not, and the block list, which not every Node has. */
const ownKinds = { timeoutMs, attemptTimeoutMs, engine, retry, blockList, manager }

/** Node's, of which none is a slip in one of ours. */
const nodesNames: readonly string[] = [
  ...['host', 'port', 'path', 'family', 'hints', 'lookup', 'localAddress', 'localPort', 'timeout', 'signal'],
  ...['autoSelectFamily', 'autoSelectFamilyAttemptTimeout', 'noDelay', 'keepAlive', 'keepAliveInitialDelay'],
  ...['allowHalfOpen', 'readable', 'writable', 'onread', 'highWaterMark', 'fd', 'handle', 'typeOfService'],
]

const known = [...nodesNames, ...Object.keys(ownKinds)]

/**
 * Checks what is ours. What is Node's passes, for Node to check as it connects.
 * @throws RangeError or TypeError that names the option.
 */
export function requireOwn(options: object, more: readonly string[] = []): void {
  requireKind('options', options, objectKind('{ timeoutMs: 5_000 }'))
  requireKinds(options, ownKinds)
  settledRetryPolicy((options as { retry?: RetryPolicy | false }).retry)
  requireNoSlips(options, more.length > 0 ? [...known, ...more] : known)
}

/** The same for the maker of many sockets, which is told at once what each of them would fail by. */
export function requireMakersOptions(options: object, more: readonly string[] = []): void {
  requireOwn(options, more)
  requireKinds(options, { signal, localAddress, lookup })
}
