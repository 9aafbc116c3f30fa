/** The targets of a wait: all are read before anybody is asked. */
import { readTargets } from '../../core/expand.js'
import { InvalidTargetError, show } from '../../core/invalid-target.js'
import { waitTargetsAtMost } from '../../core/limits.js'
import type { ReadTarget } from '../../core/target.js'
import { UsageError } from '../exit-code.js'

export interface ReadWords {
  /** By their text, each once, in the order given. */
  targets: ReadonlyMap<string, ReadTarget>
  /** What is wrong with the other words, a sentence each. */
  faults: readonly string[]
}

/** @throws UsageError for too many targets, or none. */
export function targetsIn(words: readonly string[]): ReadWords {
  if (words.length === 0) throw new UsageError('no targets: give some (see cancelpoint wait --help)')
  const targets = new Map<string, ReadTarget>()
  const faults: string[] = []
  for (const word of words) {
    // What was lost in reading could be another file's name.
    if (word.includes('\ufffd')) {
      faults.push(`${show(word)} is not a target: it is not in UTF-8`)
      continue
    }
    try {
      for (const target of readTargets(word)) {
        targets.set(target.text, target)
        if (targets.size > waitTargetsAtMost) throw tooMany()
      }
    } catch (error) {
      if (!(error instanceof InvalidTargetError)) throw error
      faults.push(error.message)
    }
  }
  return { targets, faults }
}

const tooMany = () => new UsageError(`too many targets: expected ${waitTargetsAtMost.toLocaleString('en')} at most`)
