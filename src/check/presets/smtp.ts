/** SMTP, RFC 5321, and its STARTTLS, RFC 3207. */
import type { ProbeStep } from '../../types.js'
import type { Judge } from '../judge.js'
import { answered, firstLine } from './lines.js'
import { expect, send } from './preset.js'

/** A reply of one or more lines (section 4.2), whose code is `code`, and one of whose lines has the keyword. */
const reply =
  (code: string, keyword?: string): Judge =>
  (bytes) => {
    let hasKeyword = keyword === undefined
    for (let at = 0; ; ) {
      const found = firstLine(bytes, at)
      if (!found) return undefined
      const { line, end } = found
      if (!/^\d{3}([ -]|$)/.test(line)) return { refused: `does not speak SMTP: it ${answered(line).refused}` }
      if (!line.startsWith(code)) return answered(line)
      hasKeyword ||= line.slice(4).trim().toUpperCase() === keyword
      at = end
      if (line[3] !== '-') return hasKeyword ? { end } : { refused: `does not offer ${keyword}` }
    }
  }

const greeting = expect('a greeting of SMTP', reply('220'))
/** A client that has no name gives its address in brackets (section 4.1.1.1); every server knows this one. */
const hello = send('EHLO [127.0.0.1]\r\n')

export const smtp: readonly ProbeStep[] = [greeting, send('QUIT\r\n'), expect('a goodbye of SMTP', reply('221'))]

export const smtpStarttls: readonly ProbeStep[] = [
  greeting,
  hello,
  expect('an answer to EHLO', reply('250', 'STARTTLS')),
  send('STARTTLS\r\n'),
  expect('an answer to STARTTLS', reply('220')),
  { starttls: true },
]

/** What follows STARTTLS: the session begins anew with EHLO. */
export const smtpSecured: readonly ProbeStep[] = [
  hello,
  expect('an answer to EHLO', reply('250')),
  send('QUIT\r\n'),
  expect('a goodbye of SMTP', reply('221')),
]
