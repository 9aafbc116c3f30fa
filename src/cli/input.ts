/** Targets from arguments, files and streams, one at a time: a file of any length is never held whole. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { getSystemErrorMap } from 'node:util'

import { readTargets, wordsOfLine } from '../core/expand.js'
import { show } from '../core/invalid-target.js'
import { type ReadTarget, readTarget } from '../core/target.js'
import { linesOf, maxLineLength } from './lines.js'

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
  /** Each of them that was to be a target; none where a whole source cannot be read. An endless line is one, and empty. */
  words: readonly BadWord[]
  /** Where they stood, unless in an argument. `line` counts from 1. */
  file?: string
  line?: number
}

export interface BadWord {
  text: string
  message: string
}

export interface ReadOptions {
  /** Ends the reading at once, quietly; streams are destroyed. */
  signal?: AbortSignal | undefined
  /** Told about every unreadable line or source, and waited for; the rest is read all the same. */
  onProblem?: ((problem: Problem) => void | Promise<void>) | undefined
}

/** Every target of every input, in order. Never throws for what the input says: see `onProblem`. */
export async function* targetsOf(inputs: Iterable<Input>, options: ReadOptions = {}): AsyncGenerator<ReadTarget, void> {
  for (const input of inputs) {
    if (options.signal?.aborted) return
    switch (input.kind) {
      case 'targets':
        for (const target of input.targets) yield readTarget(target)
        break
      case 'argument':
        await report(yield* targetsOfWords([input.text]), {}, options)
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
  for await (const _ of targetsOf(inputs)) {
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

async function* targetsOfStream(
  stream: Readable,
  name: string,
  options: ReadOptions,
): AsyncGenerator<ReadTarget, void> {
  if (options.signal) addAbortSignal(options.signal, stream)
  let number = 0
  try {
    for await (const line of linesOf(stream)) {
      number += 1
      const bad = line === undefined ? [tooLong] : yield* targetsOfWords(wordsOfLine(line))
      await report(bad, { file: name, line: number }, options)
    }
  } catch (error) {
    if (options.signal?.aborted) return
    await options.onProblem?.({ where: name, message: `cannot be read: ${reasonOf(error)}`, words: [], file: name })
  } finally {
    stream.destroy()
  }
}

const tooLong: BadWord = { text: '', message: `expected a line of at most ${maxLineLength} characters` }

/** What the words stand for. Returns those that stand for nothing. */
function* targetsOfWords(words: readonly string[]): Generator<ReadTarget, readonly BadWord[]> {
  const bad: BadWord[] = []
  for (const text of words) {
    // What was lost in reading could be another file's name.
    if (text.includes('\ufffd')) {
      bad.push({
        text,
        message: `${show(text)} is not a target: it is not in UTF-8 (or UTF-16 with a byte order mark)`,
      })
      continue
    }
    try {
      yield* readTargets(text)
    } catch (error) {
      bad.push({ text, message: (error as Error).message })
    }
  }
  return bad
}

/** The bad words of one line are one problem, told by the first of them. */
async function report(
  words: readonly BadWord[],
  place: Pick<Problem, 'file' | 'line'>,
  { onProblem }: ReadOptions,
): Promise<void> {
  const [first, ...more] = words
  if (first === undefined) return
  const where = place.file === undefined ? undefined : `${place.file}:${place.line}`
  await onProblem?.({ where, message: first.message + others(more.length), words, ...place })
}

function others(count: number): string {
  if (count === 0) return ''
  return `; nor ${count === 1 ? 'is 1 more word' : `are ${count} more words`} of this line`
}

function reasonOf(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? message
}
