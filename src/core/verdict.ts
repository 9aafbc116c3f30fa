/**
 * What a failure says: whose fault it is, what it means for the target, and what a person can do. It is worked out here and
 * nowhere else; a ConnectError and a CheckResult are two ways of writing it down.
 */
import type { Advice } from './advice.js'
import { advise, classOf, type ErrnoClass, type ErrnoContext } from './errno.js'
import { sentence } from './text.js'

/** The part of a probe that an outcome belongs to. */
export type Phase = 'name' | 'connect' | 'tls' | 'send' | 'expect'

export interface Verdict {
  readonly code: string
  readonly errnoClass: ErrnoClass
  /** What it says of the target. */
  readonly status: 'down' | 'unknown'
  readonly phase: Phase
  /** The call that failed: socket, bind, connect, queryA, tls. */
  readonly syscall: string
  /** One sentence. */
  readonly means: string
  /** What a person can do, one sentence; undefined where nobody knows. */
  readonly remedy: string | undefined
  /** Whose time limit ended it. */
  readonly timedOutBy: 'deadline' | 'kernel' | undefined
}

/** A failure as it was noticed. */
export interface Failed extends Omit<ErrnoContext, 'call'> {
  code: string
  syscall: string
  /** Default: `tls` for the call tls, `name` for what the resolver says, else `connect`. */
  phase?: Phase | undefined
  /** Default: by the errno table. */
  errnoClass?: ErrnoClass | undefined
  /** Words of others in the place of the table's, which know no remedy. */
  detail?: string | undefined
  advice?: Advice | undefined
  timedOutBy?: 'deadline' | 'kernel' | undefined
}

export function verdictOn(failed: Failed): Verdict {
  const { code, syscall, detail, timedOutBy, family, localFixed, familyDisabled } = failed
  const errnoClass = failed.errnoClass ?? classOf(code, { family, localFixed, familyDisabled, call: syscall })
  const phase = failed.phase ?? phaseOf(syscall, errnoClass)
  const advice = failed.advice ?? (detail === undefined ? advise(code, errnoClass, syscall) : undefined)
  const means = detail === undefined ? (advice?.means ?? `It failed with ${code}.`) : sentence(detail)
  const status = statusFor(code, errnoClass, phase, syscall)
  return { code, errnoClass, status, phase, syscall, means, remedy: advice?.remedy, timedOutBy }
}

function phaseOf(syscall: string, errnoClass: ErrnoClass): Phase {
  if (syscall === 'tls') return 'tls'
  return errnoClass === 'name' ? 'name' : 'connect'
}

/** What a class says of the target. A reason that lies on this side says nothing. */
const statusOf: Readonly<Record<ErrnoClass, Verdict['status']>> = {
  refused: 'down',
  'timed-out': 'down',
  unreachable: 'down',
  busy: 'down',
  denied: 'down',
  protocol: 'down',
  name: 'unknown',
  local: 'unknown',
  misuse: 'unknown',
  pending: 'unknown',
  unknown: 'unknown',
}

function statusFor(code: string, errnoClass: ErrnoClass, phase: Phase, syscall: string): Verdict['status'] {
  // A name that does not exist is down; a name that could not be asked for says nothing.
  if (code === 'ENOTFOUND') return 'down'
  // By connect(2) the peer speaks. The other calls of that phase are this machine's own preparations.
  if (phase === 'connect' && syscall !== 'connect') return 'unknown'
  return asksNothing(code) ? 'unknown' : statusOf[errnoClass]
}

/** A family that this machine has switched off, or an address that the caller's block list bars: the target was not asked. */
const asksNothing = (code: string) => code === 'EADDRNOTAVAIL' || code === 'ERR_BLOCKED'

const isOutOfReach = ({ code, errnoClass }: Verdict) =>
  code === 'ERR_BLOCKED' || (errnoClass === 'unreachable' && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'))

/** The strongest word first: what one of several addresses says for all of them. */
export const strength: readonly ErrnoClass[] = [
  // A reason on this side leaves open what the target is.
  'local',
  'protocol',
  'refused',
  'busy',
  'timed-out',
  'unreachable',
  'denied',
  'name',
  'unknown',
  'misuse',
  'pending',
]

/** Of several addresses' failures the one that speaks for the call; of equals the last. */
export function speaker<T extends { errnoClass: ErrnoClass }>(failures: readonly T[]): T | undefined {
  return failures.reduce<T | undefined>((best, failure) => {
    const stronger = best && strength.indexOf(best.errnoClass) < strength.indexOf(failure.errnoClass)
    return stronger ? best : failure
  }, undefined)
}

/**
 * What several addresses' failures say of their target. Addresses that this machine cannot reach have no say beside others. A
 * target is down if all that have a say are; if one of them may be up, the reason why that is not known speaks.
 */
export function verdictOfAll(verdicts: readonly Verdict[]): Verdict | undefined {
  const inReach = verdicts.filter((verdict) => !isOutOfReach(verdict))
  const heard = inReach.length > 0 ? inReach : verdicts
  const open = heard.filter(({ status }) => status === 'unknown')
  return speaker(open.length > 0 ? open : heard)
}
