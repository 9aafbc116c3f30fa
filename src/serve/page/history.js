/** What a target did lately, as drawings, each with the same in words. */
import { s } from './dom.js'
import { counted, milliseconds } from './words.js'

export const cells = 60
const cellWidth = 3
const stripHeight = 18
const curveHeight = 18

/** Up is a low bar, down one of full height, unknown a dot in the middle: nothing is said by colour alone. */
const shapes = {
  u: (x) => `M${x} 18v-8h2v8z`,
  d: (x) => `M${x} 18v-18h2v18z`,
  '?': (x) => `M${x} 11v-4h2v4z`,
}
const stateOf = { u: 'up', d: 'down', '?': 'unknown' }

/** Sixty cells, the newest at the right, in three paths. */
export function strip() {
  const paths = Object.fromEntries(Object.keys(shapes).map((mark) => [mark, s('path', { class: stateOf[mark] })]))
  const element = s(
    'svg',
    { class: 'strip', viewBox: `0 0 ${cells * cellWidth} ${stripHeight}`, role: 'img', preserveAspectRatio: 'none' },
    s('path', { class: 'base', d: `M0 17.5h${cells * cellWidth - 1}` }),
    ...Object.values(paths),
  )
  return {
    element,
    show(results) {
      const drawn = { u: '', d: '', '?': '' }
      const newest = results.slice(-cells)
      for (let i = 0; i < newest.length; i += 1) {
        const mark = newest[i]
        if (mark in drawn) drawn[mark] += shapes[mark]((cells - newest.length + i) * cellWidth)
      }
      for (const [mark, path] of Object.entries(paths)) path.setAttribute('d', drawn[mark])
      element.setAttribute('aria-label', stripWords(newest))
    },
  }
}

/** `Last 60 results: 55 up, 5 down. The last 5 were down.` */
export function stripWords(results) {
  if (results === '') return 'No results yet'
  const counts = { u: 0, d: 0, '?': 0 }
  for (const mark of results) counts[mark] += 1
  const parts = Object.entries(counts).flatMap(([mark, number]) => (number > 0 ? [`${number} ${stateOf[mark]}`] : []))
  const last = results.at(-1)
  let run = 0
  while (run < results.length && results.at(-1 - run) === last) run += 1
  const end = run === results.length ? '' : `. The last ${run === 1 ? 'was' : `${run} were`} ${stateOf[last]}`
  return `Last ${counted(results.length, 'result')}: ${parts.join(', ')}${end}`
}

/** Connect times as a line with gaps, from 0 to the longest. */
export function curve() {
  const line = s('path', { class: 'line' })
  const dot = s('path', { class: 'dot' })
  const element = s(
    'svg',
    { class: 'curve', viewBox: `0 0 ${cells * 2} ${curveHeight}`, role: 'img', preserveAspectRatio: 'none' },
    line,
    dot,
  )
  return {
    element,
    show(times) {
      const newest = times.slice(-cells)
      const known = newest.filter((ms) => ms !== null)
      const longest = Math.max(...known, Number.MIN_VALUE)
      const x = (i) => (cells - newest.length + i) * 2 + 1
      const y = (ms) => 2 + (1 - ms / longest) * (curveHeight - 4)
      let drawn = ''
      newest.forEach((ms, i) => {
        if (ms === null) return
        const before = i > 0 ? newest[i - 1] : null
        // One alone between gaps is a short dash: a line of no length would not be drawn.
        drawn += before === null ? `M${x(i) - 0.5} ${y(ms).toFixed(1)}h1` : `L${x(i)} ${y(ms).toFixed(1)}`
      })
      line.setAttribute('d', drawn)
      const last = newest.at(-1) ?? null
      // A line of no length with round ends is a disc, however the drawing is stretched.
      dot.setAttribute('d', last === null ? '' : `M${x(newest.length - 1)} ${y(last).toFixed(1)}h0`)
      element.setAttribute('aria-label', curveWords(known))
    },
  }
}

export function curveWords(known) {
  if (known.length === 0) return 'No connect times yet'
  const range = `${milliseconds(Math.min(...known))} to ${milliseconds(Math.max(...known))}`
  return `Connect times of the last ${counted(known.length, 'connection')}: ${range}, the last ${milliseconds(known.at(-1))}`
}
