/** SSH, RFC 4253, section 4.2: the identification line, which other lines may precede. */
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { answered, firstLine } from './lines.js'
import { expect } from './preset.js'

const identification: Judge = (bytes) => {
  for (let at = 0; ; ) {
    const found = firstLine(bytes, at)
    if (!found) return undefined
    const { line, end } = found
    if (line.startsWith('SSH-')) return /^SSH-(2\.0|1\.99)-./.test(line) ? { end } : answered(line)
    at = end
  }
}

export const ssh: readonly ProbeStep[] = [expect('an identification line of SSH', identification)]
