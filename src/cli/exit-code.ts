/** What the process exits with; where several apply, the highest. */
export const exitCodes = {
  ok: 0,
  /** `check`: a target is not up. `wait`: timed out. */
  notUp: 1,
  /** Bad usage or input, or the command could not run. */
  bad: 2,
  /** `wait`: its command is there and cannot be run. */
  notExecutable: 126,
  /** `wait`: there is no such command. */
  notFound: 127,
  /** `wait`: to this the number of the signal is added that killed its command. */
  signalled: 128,
  /** Ctrl-C or SIGTERM before the end. */
  interrupted: 130,
} as const

/** Those of `check --format nagios`, as its reader has them. */
export const nagiosCodes = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const

/** Something the person who typed the command can put right; shown without a stack, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Whether the command line asks for the format of Nagios. It is looked at as it is written, for it may be one that cannot be parsed. */
export function isForNagios([, , command, ...args]: readonly string[] = process.argv): boolean {
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  return (
    command === 'check' &&
    flags.some((flag, i) => flag === '--format=nagios' || (flag === 'nagios' && flags[i - 1] === '--format'))
  )
}
