/** How presets are made of steps: what is sent, and what an answer has to be, judged as a whole and not by a pattern. */
import * as limits from '../../core/limits.js'
import type { ParsedTarget } from '../../core/target.js'
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { readyStep } from '../script.js'

export function send(bytes: string | Uint8Array | ((target: ParsedTarget) => string)): ProbeStep {
  if (typeof bytes === 'function') return readyStep({ kind: 'send', bytes: (target) => Buffer.from(bytes(target)) })
  const fixed = Buffer.from(bytes)
  return readyStep({ kind: 'send', bytes: () => fixed })
}

/** `described`: what the peer is to send, such as `a greeting of SMTP`. */
export function expect(described: string, judge: Judge, peerEnds = false): ProbeStep {
  const { expectBytes: maxBytes } = limits
  return readyStep({ kind: 'expect', judge, maxBytes, isIncremental: false, isText: false, peerEnds, described })
}
