/** What a command line names as sources of targets, in the order in which they are read. */
import { UsageError } from './exit-code.js'
import type { Config } from './input/config.js'
import type { Input } from './input.js'
import { requireStandardInput } from './standard-input.js'

/** @throws UsageError where standard input is named twice, or is not there. */
export function namedInputs(
  words: readonly string[],
  files: readonly string[] = [],
  config: Config | undefined = undefined,
): Input[] {
  const inputs: Input[] = [
    ...(config ? [{ kind: 'config', config } as const] : []),
    ...words.map((text): Input => (text === '-' ? standardInput() : { kind: 'argument', text })),
    ...files.map((path): Input => (path === '-' ? standardInput() : { kind: 'file', path })),
  ]
  const streams = inputs.filter(({ kind }) => kind === 'stream').length
  if (streams > 1) throw new UsageError('standard input can be read only once: give - once')
  if (streams > 0) requireStandardInput()
  return inputs
}

export const standardInput = (): Input => ({ kind: 'stream', name: 'standard input', stream: process.stdin })
