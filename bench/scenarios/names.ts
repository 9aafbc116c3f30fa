/** The scenarios in the order they run. Their names alone, for `--help`, which loads none of them. */
export const scenarioNames = [
  'cancel-latency',
  'abort-all',
  'memory',
  'connect-rate',
  'refuse-rate',
  'single-call',
  'fetch',
  'tls-probes',
  'dead-address',
  'retry-storm',
  'scale',
  'lookups',
  'watch',
  'naive',
  'side-by-side',
] as const

export type ScenarioName = (typeof scenarioNames)[number]
