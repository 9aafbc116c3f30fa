/** `cancelpoint errno`: the errno table for people. */
import type { Command } from 'commander'
import { advise, classes, classOf, codes, type ErrnoClass } from '../core/errno.js'
import { nearest } from '../core/nearest.js'
import { printable } from '../core/text.js'
import { codeOf, errnoOf } from '../errors/errnos.js'
import { UsageError } from './exit-code.js'
import { standardOutput } from './output.js'
import { columnsOf, table } from './table.js'

export function addErrnoCommand(program: Command): void {
  program
    .command('errno')
    .summary('what an errno means, and what is done about it')
    .description(
      'Says what an errno of connect(2) means, its class, what the supervisor does and what a person can do.',
    )
    .argument('[name|number]', 'one errno: ECONNREFUSED, 111 or -111; all of them without')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cancelpoint errno\n  $ cancelpoint errno ETIMEDOUT\n  $ cancelpoint errno 111\n',
    )
    .action(async (which: string | undefined) => {
      const output = standardOutput()
      const columns = columnsOf(process.stdout)
      await output.write(`${which === undefined ? everything(columns) : one(which, columns)}\n`)
      await output.finish()
    })
}

/** Codes of others, known by name and too many for a row each. */
const families = [
  ['EAI_*, ESERVFAIL ...', '-', 'name', 'A code of the resolver: it came to no address.'],
  ['CERT_*, ERR_SSL_* ...', '-', 'protocol', 'A code of TLS: about a certificate, or the handshake.'],
]

function everything(columns: number | undefined): string {
  const rows = [...codes].map(([code, { errnoClass, means }]) => [code, numberOf(code), errnoClass, means])
  const classRows = Object.entries(classes).map(([name, { says, supervisor }]) => [name, says, supervisor])
  return [
    table([['ERRNO', 'NUMBER', 'CLASS', 'MEANING'], ...rows, ...families], columns),
    table([['CLASS', 'IT SAYS', 'THE SUPERVISOR'], ...classRows], columns),
    '  cancelpoint errno NAME says what can be done about one.',
  ].join('\n\n')
}

function one(which: string, columns: number | undefined): string {
  const code = codeFor(which)
  const errnoClass = classOf(code)
  const advice = advise(code, errnoClass)
  if (!advice) {
    const near = nearest(which, [...codes.keys()])
    const instead = near === undefined ? 'cancelpoint errno lists what is' : `did you mean ${near}?`
    throw new UsageError(`${described(which, code)} is not in the table: ${instead}`)
  }
  // The class depends on what was asked for, and with it the meaning.
  const others = (Object.keys(classes) as ErrnoClass[]).filter((name) => {
    return name !== errnoClass && advise(code, name)?.means !== advice.means
  })
  const meanings = [errnoClass, ...others].map((name) => table(meaningRows(code, name), columns))
  return `${code}  ${numberOf(code)}\n${meanings.join('\n  or\n')}`
}

function meaningRows(code: string, errnoClass: ErrnoClass): string[][] {
  const { says, supervisor } = classes[errnoClass]
  const { means, remedy, supervisor: instead } = advise(code, errnoClass)!
  return [
    ['meaning', means],
    ['class', `${errnoClass}: ${says}`],
    ['supervisor', instead ?? supervisor],
    ['you', remedy],
  ]
}

/** `111`, `-111`, `econnrefused` and other names of one number (EWOULDBLOCK) are one code. */
function codeFor(which: string): string {
  const name = which.toUpperCase()
  if (codes.has(name)) return name
  const number = /^-?\d+$/.test(which) ? Number(which) : errnoOf(name)
  return number === 0 ? name : codeOf(number)
}

const described = (which: string, code: string): string =>
  printable(which.toUpperCase() === code || code.startsWith('ERRNO_') ? which : `${which} (${code})`)

/** What the resolver and cancelpoint itself say has a name and no number. */
const numberOf = (code: string): string => {
  const errno = errnoOf(code)
  return errno === 0 ? '-' : String(-errno)
}
