/** What standard input is, without reading from it. */
import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'

import { binding } from '../bridge/binding.js'
import { UsageError } from './exit-code.js'

/** Node.js takes a directory for an empty file. */
export function requireStandardInput(): void {
  if (fstatSync(0).isDirectory()) throw new UsageError('standard input is a directory: expected a file or a pipe')
}

/**
 * Whether something waits there to be read. It stays there, for it may be for another program: a loop such as `while read`
 * gives what is left of its own input to each command in it.
 */
export const isUnread = (): boolean => !isatty(0) && binding.unread(0) > 0
