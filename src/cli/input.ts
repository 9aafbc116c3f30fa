/** Targets from arguments, files and streams, one at a time: a list of any length is never held whole. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'

import { wordsOfLine } from '../core/expand.js'
import type { Shard } from '../core/shard.js'
import { type Config, entriesOfConfig } from './input/config.js'
import { type Entry, problemAt, reasonOf } from './input/entry.js'
import { entriesOfFileSd, isFileSd, kindOfName } from './input/file-sd.js'
import { type Batches, countWords, inFairOrder, type OrderOptions, type Readied } from './input/words.js'
import { linesOf, maxLineLength, textOf } from './lines.js'

export type { Problem } from './input/entry.js'

export type Input =
  | { kind: 'argument'; text: string }
  | { kind: 'targets'; targets: Iterable<string> }
  | { kind: 'config'; config: Config }
  | { kind: 'file'; path: string }
  | { kind: 'stream'; name: string; stream: Readable }

export type ReadOptions = OrderOptions

/**
 * Every target of every input: single ones in the order written, ranges in turns (core/fair-order). Never throws for what the
 * input says: see `onProblem`.
 */
export async function* targetsOf(inputs: Iterable<Input>, options: ReadOptions = {}): AsyncGenerator<Readied, void> {
  const ending = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal
  const batches = batchesOf(inputs, signal)
  try {
    yield* inFairOrder(batches, options)
  } finally {
    // A stream that says nothing is not waited for.
    ending.abort()
    await batches.return()
  }
}

/** How many targets the inputs hold, or undefined if that is more than `limit` or can be read only once. */
export async function countTargets(
  inputs: readonly Input[],
  limit: number,
  shard?: Shard,
): Promise<number | undefined> {
  for (const input of inputs) if (await readOnce(input)) return undefined
  return countWords(batchesOf(inputs), limit, shard)
}

/** Streams, and files that are pipes in disguise: `--file <(command)`. */
export async function readOnce(input: Input): Promise<boolean> {
  if (input.kind !== 'file') return input.kind === 'stream'
  const status = await stat(input.path).catch(() => undefined)
  return status !== undefined && !status.isFile()
}

async function* batchesOf(inputs: Iterable<Input>, signal?: AbortSignal): Batches {
  for (const input of inputs) {
    if (signal?.aborted) return
    switch (input.kind) {
      case 'targets':
        yield* entriesOf(input.targets)
        break
      case 'argument':
        yield [{ words: [input.text], place: () => ({}) }]
        break
      case 'config':
        yield* entriesOfConfig(input.config)
        break
      case 'file':
        yield* entriesOfStream(createReadStream(input.path), input.path, signal)
        break
      case 'stream':
        yield* entriesOfStream(input.stream, input.name, signal)
    }
  }
}

function* entriesOf(targets: Iterable<string>): Generator<Entry[]> {
  for (const target of targets) yield [{ words: [target], place: () => ({}) }]
}

async function* entriesOfStream(stream: Readable, name: string, signal?: AbortSignal): Batches {
  if (signal) addAbortSignal(signal, stream)
  try {
    const { start, texts } = await begun(textOf(stream))
    const kind = kindOfName(name) ?? (isFileSd(start) ? 'json' : undefined)
    if (kind) yield* entriesOfFileSd(texts, name, kind)
    else yield* entriesOfLines(texts, name)
  } catch (error) {
    if (signal?.aborted) return
    yield [problemAt({ file: name }, `cannot be read: ${reasonOf(error)}`)]
  } finally {
    stream.destroy()
  }
}

async function* entriesOfLines(texts: AsyncIterable<string>, file: string): Batches {
  let number = 0
  for await (const lines of linesOf(texts)) {
    const first = number + 1
    number += lines.length
    yield lines.map((line, index) => {
      const place = () => ({ file, line: first + index })
      return line === undefined ? { words: [], bad: [tooLong], place } : { words: wordsOfLine(line), place }
    })
  }
}

const tooLong = { text: '', message: `expected a line of at most ${maxLineLength} characters` }

/** White space and comments before this many characters do not hide what a text is. */
const startAtMost = 65_536

/** What a text begins with, as far as it takes to see what it is; and the whole of it. */
async function begun(texts: AsyncGenerator<string>): Promise<{ start: string; texts: AsyncIterable<string> }> {
  let start = ''
  while (start.length < startAtMost && /^\s*\[?\s*$/.test(start)) {
    const next = await texts.next()
    if (next.done) break
    start += next.value
  }
  async function* whole() {
    if (start !== '') yield start
    yield* texts
  }
  return { start, texts: whole() }
}
