export { Descriptor, ledger } from './bridge/descriptor.js'
export type { ErrnoClass } from './core/errno.js'
export { expandTargets } from './core/expand.js'
export { connect } from './default-manager.js'
export { ConnectError } from './errors/connect-error.js'
export { classify, errnos } from './errors/errnos.js'
export { ConnectionManager } from './manager.js'
export type {
  AttemptRecord,
  CheckOptions,
  CheckResult,
  ConnectOptions,
  EngineName,
  EngineStats,
  Ledger,
  ManagerOptions,
  ManagerStats,
  RetryPolicy,
  RetryRule,
  Target,
} from './types.js'
