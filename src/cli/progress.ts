/** The progress bar: one line on standard error, redrawn in place. Whatever else is said there is said above it, and stays. */
import { columnsOf, wrapped } from './table.js'

export interface Progress {
  /** How many are done, and how many of them are not up. */
  update(done: number, notUp: number): void
  /** A line for people on standard error. */
  note(line: string): void
  /** Clears the line for something else that writes to this terminal; the next redraw comes below it. */
  makeRoom(): void
  stop(): void
}

export interface State {
  done: number
  notUp: number
  /** Undefined where it is not known how many there will be. */
  total: number | undefined
  elapsedMs: number
  perSecond: number
}

/** Where no bar can be drawn: the messages alone. */
export const messages: Progress = {
  update: () => {},
  note: (line) => process.stderr.write(`${wrapped(line, columnsOf(process.stderr), '  ')}\n`),
  makeRoom: () => {},
  stop: () => {},
}

const redrawMs = 100
/** The rate is that of so many redraws: of some seconds, so that it neither jumps nor lags. */
const rateOver = 50
/** To the start of the line, and what stands there away. The cursor never goes to another line. */
const clearLine = '\r\u001b[K'

/** A bar with an end where `total` is known; a count otherwise. `done`: before it started. */
export function startProgress(total: number | undefined, done = 0): Progress {
  const stream = process.stderr
  const startedAt = performance.now()
  const past = [{ done, at: startedAt }]
  const state = { done, notUp: 0, total }
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
    note: (line) => {
      clear()
      messages.note(line)
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

/** As much of it as `room` columns hold: the bar gives way first, then what stands last. */
export function lineOf({ done, notUp, total, elapsedMs, perSecond }: State, room: number): string {
  const parts = [
    `${number(done)}${total === undefined ? ' checked' : ` of ${number(total)}`}`,
    `${number(notUp)} not up`,
    `${number(perSecond)}/s`,
    total === undefined || perSecond === 0 ? clock(elapsedMs) : `${clock(((total - done) / perSecond) * 1000)} left`,
  ]
  while (parts.length > 1 && parts.join(', ').length > room) parts.pop()
  const text = parts.join(', ')
  const barRoom = Math.min(barAtMost, room - text.length - '[] '.length)
  if (total === undefined || barRoom < barAtLeast) return text.slice(0, room)
  const full = Math.round(Math.min(1, done / Math.max(1, total)) * barRoom)
  return `[${'='.repeat(full)}${'-'.repeat(barRoom - full)}] ${text}`
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
