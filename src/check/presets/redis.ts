/** Redis and what speaks its protocol, RESP. */
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { answered, firstLine } from './lines.js'
import { expect, send } from './preset.js'

/** A server that wants a password first serves those who have it: it is up. */
const pong: Judge = (bytes) => {
  const found = firstLine(bytes)
  if (!found) return undefined
  const { line, end } = found
  if (line === '+PONG' || /^-(NOAUTH|NOPERM|WRONGPASS) /.test(line)) return { end }
  return /^[-+]/.test(line) ? answered(line) : { refused: `does not speak as Redis does: it ${answered(line).refused}` }
}

export const redis: readonly ProbeStep[] = [send('PING\r\n'), expect('an answer to PING', pong)]
