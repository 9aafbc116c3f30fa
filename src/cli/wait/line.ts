/** While a wait lasts, on a terminal: one line on standard error that says what is still missing, redrawn in place. */
import stringWidth from 'string-width'

import { performance } from '../../core/clock.js'
import { printable } from '../../core/text.js'
import type { Awaited, Waiting } from '../../core/waiting.js'
import { shortReason } from './report.js'

const redrawMs = 200
/** To the start of the line, and what stands there away. */
const clearLine = '\r\u001b[K'

/** Undefined where there is no terminal that can redraw a line. */
export function startLine(waiting: Waiting, timeoutMs: number): { stop(): void } | undefined {
  const stream = process.stderr
  if (!stream.isTTY || ['', 'dumb'].includes(process.env.TERM ?? '')) return undefined
  const clear = () => stream.write(clearLine)
  const draw = () => {
    // The last column stays empty: a terminal may go to the next line once it is written.
    stream.write(clearLine + lineOf(waiting, timeoutMs, performance.now(), (stream.columns || 80) - 1))
  }
  const timer = setInterval(draw, redrawMs).unref()
  draw()
  return {
    stop: () => {
      clearInterval(timer)
      clear()
    },
  }
}

/** As much of it as `room` columns hold. */
export function lineOf(waiting: Waiting, timeoutMs: number, now: number, room: number): string {
  const { missing, targets, startedAt, goal } = waiting
  const time = `${clock(now - startedAt)} of ${clock(timeoutMs)}`
  const which = missing.map((each) => printable(`${each.target} (${stateOf(each)})`)).join(', ')
  return clipped(`${time}, ${missing.length} of ${targets.length} not ${goal}: ${which}`, room)
}

function stateOf({ last }: Awaited): string {
  if (!last) return 'no answer yet'
  return last.status === 'up' ? 'up' : shortReason(last)
}

function clipped(text: string, room: number): string {
  if (stringWidth(text) <= room) return text
  let kept = ''
  for (const character of text.slice(0, room)) {
    if (stringWidth(`${kept}${character}…`) > room) break
    kept += character
  }
  return `${kept}…`
}

/** 0:07, 1:02:03. */
function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const twoDigits = (value: number) => String(value).padStart(2, '0')
  return hours > 0
    ? `${hours}:${twoDigits(minutes)}:${twoDigits(seconds % 60)}`
    : `${minutes}:${twoDigits(seconds % 60)}`
}
