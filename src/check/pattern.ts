/**
 * Patterns in linear time: a RegExp of JavaScript's, run by RE2. A peer that knows the pattern cannot make it slow, as it could
 * JavaScript's own, which goes back and tries again.
 */
import { RE2JS, RE2JSException } from 're2js'
import type { Judge } from './judge.js'

/**
 * A pattern sees bytes: `\xff` is the byte 255. With the flag `u`, or where it has a character beyond ASCII in it, it sees
 * the text that the bytes are in UTF-8.
 * @throws TypeError for what RE2 does not know, look-around and back-references above all.
 */
export function patternOf(where: string, pattern: RegExp): Judge {
  const compiled = compile(where, pattern)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is beyond ASCII
  const readsText = pattern.unicode || /[^\x00-\x7f]|\\u/.test(pattern.source)
  return (bytes) => {
    const matcher = compiled.matcher(readsText ? bytes : bytes.toString('latin1'))
    return matcher.find() ? { end: matcher.end() } : undefined
  }
}

const flagsKnown = /^[dgimsu]*$/

/** Outside a class, and where the backslash is not escaped itself. */
const backReference = /^(?:[^\\[]|\\[^1-9k]|\[(?:[^\\\]]|\\.)*\])*\\(?:[1-9]|k<)/s
/** Anchors and classes to RE2, letters to JavaScript. */
const unlike = /^(?:[^\\]|\\.)*?(?:\\[AzQC]|\[\[:)/s
/** With the flag m the end of a line is also before CR and LF, as it is to JavaScript. What is escaped or in a class stays. */
const lineEnds = /\\.|\[(?:[^\]\\]|\\.)*\]|\$/gs
const lineEnd = (part: string): string => (part === '$' ? '(?:\\r?$)' : part)
const lookAround = /\(\?<?[=!]/

function compile(where: string, { source, flags, ignoreCase, multiline, dotAll }: RegExp): RE2JS {
  const refuse = (why: string): never => {
    throw new TypeError(`${where} is /${source}/${flags}: ${why}`)
  }
  if (!flagsKnown.test(flags)) refuse('the flags y and v are not known here: leave them out')
  if (backReference.test(source)) refuse('it has a back-reference, which takes no linear time: write it without')
  if (unlike.test(source)) refuse('it has \\A, \\z, \\Q, \\C or [[:, which RE2 reads in another way: write it without')
  try {
    const given = (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (multiline ? RE2JS.MULTILINE : 0)
    const translated = RE2JS.translateRegExp(multiline ? source.replace(lineEnds, lineEnd) : source)
    const compiled = RE2JS.compile(translated, given | (dotAll ? RE2JS.DOTALL : 0))
    if (compiled.matcher('').find())
      refuse('it matches nothing at all, before the peer has said anything: expect something')
    return compiled
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    if (lookAround.test(source)) refuse('it has look-around, which takes no linear time: write it without')
    return refuse(`RE2 does not take it: ${error.message.replace(/^error parsing regexp: /, '')}`)
  }
}
