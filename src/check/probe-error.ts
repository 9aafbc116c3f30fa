/** The errors of a probe's own: what its peer did after the connect. */
import type { Call } from '../call/call.js'
import { classOf } from '../core/errno.js'
import type { Failed } from '../core/verdict.js'
import { ConnectError } from '../errors/connect-error.js'

/** `failed.errnoClass`: by default what the table says of the code, and `protocol` where it knows none. */
export function probeError(
  { attempts, endpoint, hostname }: Call,
  failed: Pick<Failed, 'code' | 'syscall' | 'phase' | 'detail' | 'advice' | 'errnoClass'> & { cause?: unknown },
): ConnectError {
  const known = failed.errnoClass ?? classOf(failed.code, { call: failed.syscall })
  const errnoClass = known === 'unknown' ? 'protocol' : known
  return new ConnectError({ ...failed, errnoClass, endpoint, hostname, attempts })
}
