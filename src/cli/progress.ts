/** The progress bar: one line on standard error, redrawn in place. Whatever else is said there is said above it, and stays. */
import { type Output, standardError } from './output.js'
import { columnsOf, wrapped } from './table.js'

export interface Progress {
  /** How many are done, and how many of them are not up. */
  update(done: number, notUp: number): void
  /** How many there will be, once it is known. */
  expect(total: number): void
  /** A line for people on standard error. Resolves once more may be said there. */
  note(line: string): Promise<void>
  /** Clears the line for something else that writes to this terminal; the next redraw comes below it. */
  makeRoom(): void
  stop(): void
}

export interface State {
  done: number
  notUp: number
  /** Undefined where it is not known how many there will be. */
  total: number | undefined
  /** There will be more than so many, where that is all that is known. */
  moreThan?: number | undefined
  elapsedMs: number
  perSecond: number
}

let errorOutput: Output | undefined

/** Where no bar can be drawn: the messages alone. */
export const messages: Progress = {
  update: () => {},
  expect: () => {},
  note: (line) => {
    errorOutput ??= standardError()
    return errorOutput.write(`${wrapped(line, columnsOf(process.stderr), '  ')}\n`)
  },
  makeRoom: () => {},
  stop: () => {},
}

const redrawMs = 100
/** The rate is that of so many redraws: of some seconds, so that it neither jumps nor lags. */
const rateOver = 50
/** To the start of the line, and what stands there away. The cursor never goes to another line. */
const clearLine = '\r\u001b[K'

/**
 * A bar with an end once `total` is known; a count until then, with what it will be `moreThan`. `done`: before it started.
 */
export function startProgress(total: number | undefined, done = 0, moreThan?: number): Progress {
  const stream = process.stderr
  const startedAt = performance.now()
  const past = [{ done, at: startedAt }]
  const state = { done, notUp: 0, total, moreThan }
  const clear = () => stream.write(clearLine)
  const draw = () => {
    const now = performance.now()
    past.push({ done: state.done, at: now })
    if (past.length > rateOver) past.shift()
    const perSecond = ((state.done - past[0]!.done) / Math.max(1, now - past[0]!.at)) * 1000
    // The last column stays empty: a terminal may go to the next line once it is written.
    const room = (stream.columns || 80) - 1
    stream.write(clearLine + lineOf({ ...state, perSecond, elapsedMs: now - startedAt }, room))
  }
  const timer = setInterval(draw, redrawMs).unref()
  draw()
  return {
    update: (done, notUp) => Object.assign(state, { done, notUp }),
    expect: (total) => Object.assign(state, { total }),
    note: (line) => {
      clear()
      return messages.note(line)
    },
    makeRoom: clear,
    stop: () => {
      clearInterval(timer)
      clear()
    },
  }
}

const barAtMost = 30
const barAtLeast = 10

/** As much of it as `room` columns hold: the bar gives way first, then the rate, then the time, then all but how many are done. */
export function lineOf(state: State, room: number): string {
  const { done, total } = state
  const [count, notUp, rate] = [countOf(state), `${number(state.notUp)} not up`, `${number(state.perSecond)}/s`]
  const time = timeOf(state)
  const layouts = [[count, notUp, rate, time], [count, notUp, time], [count, notUp], [count], [number(done)]]
  const text = layouts.map((parts) => parts.join(', ')).find(({ length }) => length <= room) ?? ''
  const barRoom = Math.min(barAtMost, room - text.length - '[] '.length)
  if (total === undefined || barRoom < barAtLeast) return text
  const full = Math.round(Math.min(1, done / Math.max(1, total)) * barRoom)
  return `[${'='.repeat(full)}${'-'.repeat(barRoom - full)}] ${text}`
}

function countOf({ done, total, moreThan }: State): string {
  if (total !== undefined) return `${number(done)} of ${number(total)}`
  return `${number(done)} ${moreThan === undefined || done > moreThan ? 'checked' : `of more than ${number(moreThan)}`}`
}

/** What is left, where that is known, and otherwise how long it has taken. */
function timeOf({ done, total, elapsedMs, perSecond }: State): string {
  if (total === undefined || perSecond === 0) return clock(elapsedMs)
  return `${clock((Math.max(0, total - done) / perSecond) * 1000)} left`
}

const number = (value: number): string => Math.round(value).toLocaleString('en')

/** 0:07, 1:02:03. */
function clock(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const twoDigits = (value: number) => String(value).padStart(2, '0')
  const rest = twoDigits(seconds % 60)
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${rest}` : `${minutes}:${rest}`
}
