/** The webhook's secret: from a file or the environment, never from an argument, which every user of the machine can read. */
import { readFileSync } from 'node:fs'
import { printable } from '../../core/text.js'
import { UsageError } from '../exit-code.js'
import { reasonOf } from '../input/entry.js'

const variable = 'CANCELPOINT_WEBHOOK_SECRET'

/** @throws UsageError */
export function secretFrom(file: string | undefined): string {
  const secret = file === undefined ? process.env[variable] : textOf(file)
  if (secret === undefined || secret.trim() === '')
    throw new UsageError(`--webhook has no secret: give --webhook-secret-file FILE, or set ${variable}`)
  return secret.trim()
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${printable(file)} cannot be read: ${reasonOf(error)}`)
  }
}
