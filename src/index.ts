export { Descriptor, ledger } from './bridge/descriptor.js'
export type { ErrnoClass } from './core/errno.js'
export { expandTargets } from './core/expand.js'
export { connect } from './default-manager.js'
export { ConnectError } from './errors/connect-error.js'
export { classify, errnos } from './errors/errnos.js'
export { ConnectionManager } from './manager.js'
export type {
  AttemptRecord,
  CertificateRecord,
  CheckOptions,
  CheckResult,
  CheckTarget,
  ConnectOptions,
  EngineName,
  EngineStats,
  HealthChange,
  Ledger,
  ManagerOptions,
  ManagerStats,
  Phase,
  ProbeStep,
  RetryPolicy,
  RetryRule,
  State,
  Target,
  TargetHealth,
  WatchOptions,
  WatchSummary,
  WatchTarget,
} from './types.js'
export type { Watch } from './watch/watch.js'
