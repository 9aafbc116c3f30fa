/** What a probe says and expects: the steps of CheckOptions, read once and made ready for all the targets that share them. */
import type { ConnectionOptions } from 'node:tls'
import { show } from '../core/invalid-target.js'
import { copyOf, isObject, kind, requireKind, requireNames, wholeNumber } from '../core/kinds.js'
import * as limits from '../core/limits.js'
import type { ParsedTarget } from '../core/target.js'
import { settledTls } from '../options.js'
import type { ProbeStep } from '../types.js'
import type { Judge } from './judge.js'
import { patternOf } from './pattern.js'

export interface SendStep {
  kind: 'send'
  bytes: (target: ParsedTarget) => Uint8Array
}

export interface ExpectStep {
  kind: 'expect'
  judge: Judge
  maxBytes: number
  /** It may be asked at every byte: it looks at no byte twice. */
  isIncremental: boolean
  /** The peer speaks in lines, of which this may be a part. */
  isText: boolean
  /** The peer was asked to end the connection after its answer, of which this is the beginning. */
  peerEnds?: boolean
  /** For people: `"PONG"`, `/^220 /`, `a status line of HTTP`. */
  described: string
}

export interface StarttlsStep {
  kind: 'starttls'
  /** One object for all that share the step. */
  tls: ConnectionOptions
}

export type Step = SendStep | ExpectStep | StarttlsStep

const ready = new WeakSet<object>()

/** A step that the options have no words for: a preset's. It stands among the others. */
export function readyStep(step: Step): ProbeStep {
  ready.add(step)
  return step as unknown as ProbeStep
}

const isReady = (step: unknown): step is Step => typeof step === 'object' && step !== null && ready.has(step)

/** @throws TypeError or RangeError that names the step and what is wrong with it. */
export function scriptOf(steps: readonly ProbeStep[]): readonly Step[] {
  requireKind('steps', steps, stepsKind)
  return steps.map((step, index) => stepOf(step, `steps[${index}]`))
}

const stepsKind = kind(`an array of at most ${limits.stepsAtMost} steps`, (steps) => {
  return Array.isArray(steps) && steps.length <= limits.stepsAtMost
})
const stepKind = kind("a step: { send }, { expect } or { starttls }, such as { send: 'PING\\r\\n' }", isObject)
const sendKind = kind('a string or a Uint8Array', (value) => typeof value === 'string' || isBytes(value))
const expectKind = kind('a string, a RegExp or a Uint8Array that is not empty', (value) => {
  return isRegExp(value) || ((typeof value === 'string' || isBytes(value)) && value.length > 0)
})
const starttlsKind = kind('true or an object as tls.connect takes it', (value) => value === true || isObject(value))
const maxBytesKind = wholeNumber(1, limits.expectBytesAtMost)

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array
const isRegExp = (value: unknown): value is RegExp => Object.prototype.toString.call(value) === '[object RegExp]'

/**
 * One of them. `where`: what its messages call it.
 * @throws TypeError or RangeError
 */
export function stepOf(given: ProbeStep, where: string): Step {
  if (isReady(given)) return given
  requireKind(where, given, stepKind)
  const step = copyOf(where, given) as { send?: unknown; expect?: unknown; starttls?: unknown; maxBytes?: unknown }
  const names = (['send', 'expect', 'starttls'] as const).filter((name) => step[name] !== undefined)
  const [name] = names
  requireNames(where, step, name === 'expect' ? ['expect', 'maxBytes'] : name ? [name] : ['send', 'expect', 'starttls'])
  if (name === undefined) throw new TypeError(`${where} is ${show(given)}: expected ${stepKind.expected}`)
  if (name === 'send') return send(where, step.send)
  if (name === 'expect') return expect(where, step.expect, step.maxBytes)
  requireKind(`${where}.starttls`, step.starttls, starttlsKind)
  const { starttls } = step as { starttls: true | ConnectionOptions }
  return { kind: 'starttls', tls: starttls === true ? {} : settledTls(`${where}.starttls`, starttls) }
}

function send(where: string, given: unknown): SendStep {
  requireKind(`${where}.send`, given, sendKind)
  const bytes = Buffer.from(given as string | Uint8Array)
  return { kind: 'send', bytes: () => bytes }
}

function expect(where: string, given: unknown, maxBytes: unknown = limits.expectBytes): ExpectStep {
  requireKind(`${where}.expect`, given, expectKind)
  requireKind(`${where}.maxBytes`, maxBytes, maxBytesKind)
  const isText = !isBytes(given)
  const base = { kind: 'expect', maxBytes: maxBytes as number, isText } as const
  if (isRegExp(given)) {
    return { ...base, judge: patternOf(`${where}.expect`, given), isIncremental: false, described: String(given) }
  }
  const bytes = Buffer.from(given as string | Uint8Array)
  if (bytes.length > base.maxBytes) {
    throw new RangeError(
      `${where}.expect has ${bytes.length} bytes, and maxBytes is ${base.maxBytes}: expected no more than are read`,
    )
  }
  return { ...base, judge: contains(bytes), isIncremental: true, described: show(given) }
}

const contains =
  (wanted: Buffer): Judge =>
  (bytes, judged) => {
    const at = bytes.indexOf(wanted, Math.max(0, judged - wanted.length + 1))
    return at < 0 ? undefined : { end: at + wanted.length }
  }
