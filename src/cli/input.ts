/** Targets from arguments, files and streams, one at a time: a file of any length is never held whole. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { getSystemErrorMap } from 'node:util'

import { expandTargets, wordsOfLine } from '../core/expand.js'

export type Input =
  | { kind: 'argument'; text: string }
  | { kind: 'targets'; targets: Iterable<string> }
  | { kind: 'file'; path: string }
  | { kind: 'stream'; name: string; stream: Readable }

/** Something in the input that is not a target. */
export interface Problem {
  /** `targets.txt:7` or `standard input:7`; undefined for an argument, which the message names. */
  where: string | undefined
  message: string
}

export interface ReadOptions {
  /** Ends the reading at once, quietly; streams are destroyed. */
  signal?: AbortSignal | undefined
  /** Told about every unreadable line or source; the rest is read all the same. */
  onProblem?: ((problem: Problem) => void) | undefined
}

/** A longer line is not a list of targets, and would have to be held whole. Characters. */
const maxLineLength = 65_536

/** Every target of every input, in order. Never throws for what the input says: see `onProblem`. */
export async function* readTargets(inputs: Iterable<Input>, options: ReadOptions = {}): AsyncGenerator<string, void> {
  for (const input of inputs) {
    if (options.signal?.aborted) return
    switch (input.kind) {
      case 'targets':
        yield* input.targets
        break
      case 'argument':
        yield* targetsOfWords([input.text], undefined, options)
        break
      case 'file':
        yield* targetsOfStream(createReadStream(input.path), input.path, options)
        break
      case 'stream':
        yield* targetsOfStream(input.stream, input.name, options)
    }
  }
}

/** How many targets the inputs hold, or undefined if that is more than `limit` or can be read only once. */
export async function countTargets(inputs: readonly Input[], limit: number): Promise<number | undefined> {
  for (const input of inputs) if (await readOnce(input)) return undefined
  let count = 0
  for await (const _ of readTargets(inputs)) {
    count += 1
    if (count > limit) return undefined
  }
  return count
}

/** Streams, and files that are pipes in disguise: `--file <(command)`. */
async function readOnce(input: Input): Promise<boolean> {
  if (input.kind !== 'file') return input.kind === 'stream'
  const status = await stat(input.path).catch(() => undefined)
  return status !== undefined && !status.isFile()
}

async function* targetsOfStream(stream: Readable, name: string, options: ReadOptions): AsyncGenerator<string, void> {
  if (options.signal) addAbortSignal(options.signal, stream)
  let number = 0
  try {
    for await (const line of linesOf(stream)) {
      number += 1
      const where = `${name}:${number}`
      if (line === undefined)
        options.onProblem?.({ where, message: `expected a line of at most ${maxLineLength} characters` })
      else yield* targetsOfWords(wordsOfLine(line), where, options)
    }
  } catch (error) {
    if (options.signal?.aborted) return
    options.onProblem?.({ where: name, message: `cannot be read: ${reasonOf(error)}` })
  } finally {
    stream.destroy()
  }
}

/** What the words stand for. Unreadable ones are one problem, told by the first of them. */
function* targetsOfWords(
  words: readonly string[],
  where: string | undefined,
  options: ReadOptions,
): Generator<string, void> {
  const problems: string[] = []
  for (const word of words) {
    try {
      yield* expandTargets(word)
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  const [first, ...more] = problems
  if (first === undefined) return
  options.onProblem?.({ where, message: first + others(more.length) })
}

function others(count: number): string {
  if (count === 0) return ''
  return `; nor ${count === 1 ? 'is 1 more word' : `are ${count} more words`} of this line`
}

/** Lines without their ends; undefined in the place of one that is too long. */
async function* linesOf(stream: Readable): AsyncGenerator<string | undefined, void> {
  let held = ''
  let skipping = false
  let first = true
  stream.setEncoding('utf8')
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (held + (first ? chunk.replace(/^\uFEFF/, '') : chunk)).split('\n')
    first = false
    held = lines.pop()!
    for (const line of lines) {
      yield skipping || line.length > maxLineLength ? undefined : line.replace(/\r$/, '')
      skipping = false
    }
    if (held.length > maxLineLength) {
      skipping = true
      held = ''
    }
  }
  if (skipping || held !== '') yield skipping ? undefined : held.replace(/\r$/, '')
}

function reasonOf(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? message
}
